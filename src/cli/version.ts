/**
 * The version of the package, as a constant: the published build lies one directory deeper than a checkout,
 * so reading package.json at run time would need to know which of the two it is. A test keeps both equal.
 */
export const version = "0.1.0";
