/**
 * Commands about settings of buckets and about accounts, and the names that a setting may have. The state
 * keeps documents as they come, checked and normalised by whoever proposes them; what they mean is the
 * matter of src/s3. Secrets come sealed: nothing here ever holds one that can be read (RULES.md R23).
 */

/**
 * Settings that a bucket can have. Only these: DeleteBucket removes a bucket's settings by point reads, so a
 * name that it does not know would leave its row behind. Names are stored: one may be added, none changed.
 */
export const BUCKET_SETTING_NAMES = ["cors", "tagging"] as const;
export type BucketSettingName = (typeof BUCKET_SETTING_NAMES)[number];

export type PutBucketSetting = {
  readonly kind: "putBucketSetting";
  readonly bucket: string;
  readonly name: BucketSettingName;
  readonly document: string;
};

export type DeleteBucketSetting = {
  readonly kind: "deleteBucketSetting";
  readonly bucket: string;
  readonly name: BucketSettingName;
};

export type PutAccount = {
  readonly kind: "putAccount";
  readonly accountId: string;
  readonly displayName: string;
  readonly accessKey: string;
  /** Under the data key. */
  readonly sealedSecret: Uint8Array;
};

export type DeleteAccount = { readonly kind: "deleteAccount"; readonly accountId: string };

/** The key that seals the accounts' secrets, itself sealed by the master key. */
export type PutDataKey = {
  readonly kind: "putDataKey";
  /** Of the derivation that makes a key of the master key's text. */
  readonly salt: Uint8Array;
  readonly sealedKey: Uint8Array;
};

export type SettingCommand = PutBucketSetting | DeleteBucketSetting | PutAccount | DeleteAccount | PutDataKey;
