import { createHash } from 'node:crypto';
import { FlattenedEncrypt, flattenedDecrypt } from 'jose';

/** The part of a record that is worth stealing. `generation` is in it so that an older blob can't be put back. */
export interface SealedTokens {
  readonly accessToken: string;
  readonly refreshToken?: string | undefined;
  readonly generation: number;
}

interface Key {
  readonly id: string;
  readonly bytes: Uint8Array;
}

const ONLY_OURS = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };

/**
 * Encryption at rest: AES-256-GCM as a JWE (RFC 7516), with the record's key as additional authenticated data, so that
 * a record copied to another key does not open.
 */
export class TokenSeal {
  private readonly keys: readonly Key[];

  /** The first key seals; all of them open, so that keys can be rotated. */
  constructor(secrets: readonly string[]) {
    this.keys = secrets.map((secret) => {
      const bytes = createHash('sha256').update('passport-spark tokens at rest').update(secret).digest();
      return { id: createHash('sha256').update(bytes).digest('base64url').slice(0, 8), bytes };
    });
  }

  async seal(recordKey: string, tokens: SealedTokens): Promise<string> {
    const [key] = this.keys;
    if (!key) throw new Error('no key to seal with');
    const plain = JSON.stringify([tokens.accessToken, tokens.refreshToken ?? null, tokens.generation]);
    const sealed = await new FlattenedEncrypt(Buffer.from(plain))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: key.id })
      .setAdditionalAuthenticatedData(Buffer.from(recordKey))
      .encrypt(key.bytes);
    return [sealed.protected, sealed.iv, sealed.ciphertext, sealed.tag].join('.');
  }

  /** @throws Error when the blob was changed, belongs to another key, or was sealed with a secret that is not given */
  async open(recordKey: string, blob: string): Promise<SealedTokens> {
    const [header = '', iv = '', ciphertext = '', tag = ''] = blob.split('.');
    const jwe = { protected: header, iv, ciphertext, tag, aad: Buffer.from(recordKey).toString('base64url') };
    const { plaintext } = await flattenedDecrypt(
      jwe,
      (header) => {
        const key = this.keys.find(({ id }) => id === header?.kid);
        if (!key) throw new Error('sealed with an encryption key that is not among those given');
        return key.bytes;
      },
      ONLY_OURS,
    );
    // Sealed by us: nobody else has the key.
    const [accessToken, refreshToken, generation] = JSON.parse(Buffer.from(plaintext).toString('utf8')) as [
      string,
      string | null,
      number,
    ];
    return { accessToken, refreshToken: refreshToken ?? undefined, generation };
  }
}
