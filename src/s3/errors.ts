/**
 * Every answer of S3 that is not a success: one table from AWS's code to its HTTP status and its default
 * message, and one error class that carries them to the edge, where error-xml.ts writes the document.
 *
 * The functions of this room that read a request throw S3Error at the first thing that is wrong with it: a
 * bad request ends in exactly one place, the edge, and every caller in between would only pass a union on.
 * The codes and messages are AWS's, since clients and their users compare them.
 */

const TABLE = {
  AccessControlListNotSupported: [400, "The bucket does not allow ACLs"],
  AccessDenied: [403, "Access Denied"],
  AccessForbidden: [403, "CORSResponse: CORS is not enabled for this bucket."],
  AuthorizationHeaderMalformed: [400, "The authorization header you provided is invalid."],
  AuthorizationQueryParametersError: [
    400,
    "The authorization query parameters that you provided are not valid.",
  ],
  BadDigest: [400, "The Content-MD5 you specified did not match what we received."],
  BadRequest: [400, "An error occurred when parsing the HTTP request."],
  BucketAlreadyExists: [
    409,
    "The requested bucket name is not available. The bucket namespace is shared by all users of the " +
      "system. Please select a different name and try again.",
  ],
  BucketAlreadyOwnedByYou: [
    409,
    "Your previous request to create the named bucket succeeded and you already own it.",
  ],
  BucketNotEmpty: [409, "The bucket you tried to delete is not empty"],
  ConditionalRequestConflict: [
    409,
    "The conditional request cannot succeed due to a conflicting operation against this resource.",
  ],
  EntityTooLarge: [400, "Your proposed upload exceeds the maximum allowed size"],
  EntityTooSmall: [400, "Your proposed upload is smaller than the minimum allowed size"],
  ExpiredToken: [400, "The provided token has expired."],
  IllegalLocationConstraintException: [
    400,
    "The specified location constraint is incompatible for the region specific endpoint this request was " +
      "sent to.",
  ],
  IllegalVersioningConfigurationException: [400, "The Versioning element must be specified"],
  IncompleteBody: [
    400,
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
  ],
  InternalError: [500, "We encountered an internal error. Please try again."],
  InvalidAccessKeyId: [403, "The AWS Access Key Id you provided does not exist in our records."],
  InvalidArgument: [400, "Invalid Argument"],
  InvalidBucketName: [400, "The specified bucket is not valid."],
  InvalidBucketState: [409, "The request is not valid for the current state of the bucket."],
  InvalidChunkSizeError: [403, "Only the last chunk is allowed to have a size less than 8192 bytes"],
  InvalidDigest: [400, "The Content-MD5 you specified was invalid."],
  InvalidLocationConstraint: [400, "The specified location-constraint is not valid"],
  InvalidObjectState: [403, "The operation is not valid for the object's storage class"],
  InvalidPart: [
    400,
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the " +
      "specified entity tag may not match the part's entity tag.",
  ],
  InvalidPartNumber: [416, "The requested partnumber is not satisfiable"],
  InvalidPartOrder: [
    400,
    "The list of parts was not in ascending order. Parts must be ordered by part number.",
  ],
  InvalidPolicyDocument: [
    400,
    "The content of the form does not meet the conditions specified in the policy document.",
  ],
  InvalidRange: [416, "The requested range is not satisfiable"],
  InvalidRedirectLocation: [
    400,
    "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
  ],
  InvalidRequest: [400, "Invalid Request"],
  InvalidStorageClass: [400, "The storage class you specified is not valid"],
  InvalidTag: [400, "The tag provided was not a valid tag."],
  InvalidToken: [400, "The provided token is malformed or otherwise invalid."],
  InvalidURI: [400, "Couldn't parse the specified URI."],
  InvalidWriteOffset: [
    400,
    "The write offset value that you specified does not match the current object size.",
  ],
  KeyTooLongError: [400, "Your key is too long"],
  MalformedACLError: [
    400,
    "The XML you provided was not well-formed or did not validate against our published schema",
  ],
  MalformedPOSTRequest: [400, "The body of your POST request is not well-formed multipart/form-data."],
  MalformedTrailerError: [
    400,
    "The request contained trailing data that was not well-formed or did not conform to our published " +
      "schema.",
  ],
  MalformedXML: [
    400,
    "The XML you provided was not well-formed or did not validate against our published schema",
  ],
  MaxMessageLengthExceeded: [400, "Your request was too big."],
  MaxPostPreDataLengthExceeded: [400, "Your POST request fields preceding the upload file were too large."],
  MetadataTooLarge: [400, "Your metadata headers exceed the maximum allowed metadata size"],
  MethodNotAllowed: [405, "The specified method is not allowed against this resource."],
  MissingContentLength: [411, "You must provide the Content-Length HTTP header."],
  MissingRequestBodyError: [400, "Request Body is empty"],
  MissingSecurityHeader: [400, "Your request was missing a required header"],
  NoSuchBucket: [404, "The specified bucket does not exist"],
  NoSuchBucketPolicy: [404, "The bucket policy does not exist"],
  NoSuchConfiguration: [404, "The specified configuration does not exist."],
  NoSuchCORSConfiguration: [404, "The CORS configuration does not exist"],
  NoSuchKey: [404, "The specified key does not exist."],
  NoSuchLifecycleConfiguration: [404, "The lifecycle configuration does not exist"],
  NoSuchObjectLockConfiguration: [404, "The specified object does not have a ObjectLock configuration"],
  NoSuchPublicAccessBlockConfiguration: [404, "The public access block configuration was not found"],
  NoSuchTagSet: [404, "The TagSet does not exist"],
  NoSuchUpload: [
    404,
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been " +
      "aborted or completed.",
  ],
  NoSuchVersion: [404, "The specified version does not exist."],
  NoSuchWebsiteConfiguration: [404, "The specified bucket does not have a website configuration"],
  NotImplemented: [501, "A header you provided implies functionality that is not implemented"],
  NotModified: [304, "Not Modified"],
  ObjectLockConfigurationNotFoundError: [404, "Object Lock configuration does not exist for this bucket"],
  OperationAborted: [
    409,
    "A conflicting conditional operation is currently in progress against this resource. Please try again.",
  ],
  OwnershipControlsNotFoundError: [404, "The bucket ownership controls were not found"],
  PermanentRedirect: [
    301,
    "The bucket you are attempting to access must be addressed using the specified endpoint. Please send " +
      "all future requests to this endpoint.",
  ],
  PreconditionFailed: [412, "At least one of the pre-conditions you specified did not hold"],
  ReplicationConfigurationNotFoundError: [404, "The replication configuration was not found"],
  RequestHeaderSectionTooLarge: [400, "Your request header section exceeds the maximum allowed size."],
  RequestTimeout: [
    400,
    "Your socket connection to the server was not read from or written to within the timeout period. Idle " +
      "connections will be closed.",
  ],
  RequestTimeTooSkewed: [403, "The difference between the request time and the current time is too large."],
  ServerSideEncryptionConfigurationNotFoundError: [
    404,
    "The server side encryption configuration was not found",
  ],
  ServiceUnavailable: [503, "Service is unable to handle request."],
  SignatureDoesNotMatch: [
    403,
    "The request signature we calculated does not match the signature you provided. Check your key and " +
      "signing method.",
  ],
  SlowDown: [503, "Please reduce your request rate."],
  TooManyBuckets: [400, "You have attempted to create more buckets than allowed"],
  TooManyParts: [
    400,
    "You have attempted to add more parts than the maximum of 10000 that are allowed for this object.",
  ],
  UnexpectedContent: [400, "This request does not support content"],
  XAmzContentSHA256Mismatch: [
    400,
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  ],
} as const satisfies Readonly<Record<string, readonly [status: number, message: string]>>;

export type S3ErrorCode = keyof typeof TABLE;

export type S3ErrorDetails = {
  /** Replaces the status of the code: AWS never does, a test of a client may want to. */
  readonly status?: number;
  /** Replaces the default message where AWS has several for one code. */
  readonly message?: string;
  /** Further elements of the error document, in the order in which they are written. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Response headers that belong to the error, for example Content-Range of a 416. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
};

const NOTHING: Readonly<Record<string, string>> = Object.freeze({});

export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly code: S3ErrorCode;
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: S3ErrorCode, details: S3ErrorDetails = {}) {
    super(
      details.message ?? TABLE[code][1],
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.status = details.status ?? TABLE[code][0];
    this.fields = details.fields ?? NOTHING;
    this.headers = details.headers ?? NOTHING;
  }
}

export function s3Error(code: S3ErrorCode, details?: S3ErrorDetails): S3Error {
  return new S3Error(code, details);
}

/** The commonest refusal: one argument, what is wrong with it, and the value the client sent. */
export function invalidArgument(message: string, name: string, value?: string): S3Error {
  const fields = value === undefined ? { ArgumentName: name } : { ArgumentName: name, ArgumentValue: value };
  return new S3Error("InvalidArgument", { message, fields });
}

/** A request header that promises what this store does not do; naming it is what makes the refusal useful. */
export function headerNotImplemented(header: string, value?: string): S3Error {
  const fields = value === undefined ? { Header: header } : { Header: header, Value: value };
  return new S3Error("NotImplemented", { fields });
}

export function isS3ErrorCode(code: string): code is S3ErrorCode {
  return Object.hasOwn(TABLE, code);
}

export const S3_ERROR_CODES: readonly S3ErrorCode[] = Object.keys(TABLE).filter(isS3ErrorCode);
