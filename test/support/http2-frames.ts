// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Types of frames (RFC 9113 §6). */
export const frameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames (RFC 9113 §6). */
export const flag = { END_STREAM: 1, END_HEADERS: 4 } as const;

export const prefaceLength = 24;
export const frameHeaderLength = 9;

/** The longest frame that every peer takes (RFC 9113 §4.2). */
const maxFrameLength = 16_384;

/** A header field, as it goes on the wire. */
export type Field = readonly [name: string, value: string];

/** A frame (RFC 9113 §4.1). */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(frameHeaderLength);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** As many DATA frames as a payload takes (RFC 9113 §6.1). */
export function dataFrames(streamId: number, payload: Uint8Array, endStream: boolean): Buffer[] {
  const count = Math.max(1, Math.ceil(payload.length / maxFrameLength));
  return Array.from({ length: count }, (_, index) => {
    const flags = endStream && index === count - 1 ? flag.END_STREAM : 0;
    return frame(
      frameType.DATA,
      flags,
      streamId,
      payload.subarray(index * maxFrameLength, (index + 1) * maxFrameLength),
    );
  });
}

/** How a header list is put into frames. */
export interface HeadersOptions {
  /** By default, false. */
  readonly endStream?: boolean;
  /** Whether the last frame says that it is the last. By default, true. */
  readonly endHeaders?: boolean;
  /** The longest piece of a frame, in bytes. By default, as long as frames may be. */
  readonly pieceLength?: number;
}

/** A HEADERS frame and as many CONTINUATION frames as it takes (RFC 9113 §6.2, §6.10). */
export function headersFrames(streamId: number, fields: readonly Field[], options: HeadersOptions = {}): Buffer[] {
  const { endStream = false, endHeaders = true, pieceLength = maxFrameLength } = options;
  const block = headerBlock(fields);
  const count = Math.max(1, Math.ceil(block.length / pieceLength));
  return Array.from({ length: count }, (_, index) => {
    const type = index === 0 ? frameType.HEADERS : frameType.CONTINUATION;
    const ends = endHeaders && index === count - 1 ? flag.END_HEADERS : 0;
    const flags = ends | (index === 0 && endStream ? flag.END_STREAM : 0);
    return frame(type, flags, streamId, block.subarray(index * pieceLength, (index + 1) * pieceLength));
  });
}

/** A header list as a piece of a header block. */
export function headerBlock(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(literal));
}

// A literal without indexing and without Huffman coding (RFC 7541 §6.2.2): neither side's dynamic table changes.
function literal([name, value]: Field): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

// A string literal (RFC 7541 §5.2).
function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}
