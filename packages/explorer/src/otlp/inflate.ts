import { promisify } from 'node:util'
import { gunzip, inflate } from 'node:zlib'
import { hasCode, OtlpDecodeError } from '../errors.ts'

/** A body that is larger than allowed once inflated, or an encoding that is not known; `status` is HTTP's. */
export class ContentError extends Error {
  readonly status: 413 | 415
  constructor(status: 413 | 415, message: string) {
    super(message)
    this.status = status
  }
}

const inflaters = { gzip: promisify(gunzip), deflate: promisify(inflate) }
const isKnown = (name: string): name is keyof typeof inflaters => Object.hasOwn(inflaters, name)

/**
 * Undoes `Content-Encoding` (gzip, deflate, identity or none). Inflating stops at `maxBytes`: a few kilobytes
 * that would become gigabytes cost no more than that.
 * @throws ContentError 413 beyond `maxBytes`, 415 for another encoding
 * @throws OtlpDecodeError when the body is not in that encoding
 */
export async function inflateBody(
  body: Buffer,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return body
  if (!isKnown(name))
    throw new ContentError(415, `content encoding ${name} is not known; send gzip, deflate or none`)
  try {
    return await inflaters[name](body, { maxOutputLength: maxBytes })
  } catch (error) {
    if (hasCode(error, 'ERR_BUFFER_TOO_LARGE'))
      throw new ContentError(413, `body is larger than ${maxBytes} bytes when inflated`)
    throw new OtlpDecodeError(`body is not ${name}`, { cause: error })
  }
}
