#!/usr/local/bin/node
/** `thermocline` inside the image: `docker exec NAME thermocline status`. An image may have no env and no shell. */
await import("../.dist/cli/thermocline.js");
