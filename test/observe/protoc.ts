/** The compiler of protobuf as a judge of bytes: it reads them by a `.proto` of this folder into text, and writes text as bytes. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { serverPath } from '../../scripts/servers.ts';

const folder = import.meta.dirname;

/** Files, and the package of each. */
const packages = { otlp: 'otlp', 'client-model': 'io.prometheus.client' } as const;
type ProtoFile = keyof typeof packages;

// WHY four parameters: what protoc is told.
function protoc(flag: '--decode' | '--encode', file: ProtoFile, message: string, input: Uint8Array | string): Buffer {
  const path = join(folder, `${file}.proto`);
  const { status, stdout, stderr } = spawnSync(
    serverPath('protoc'),
    [`${flag}=${packages[file]}.${message}`, `--proto_path=${folder}`, path],
    { input, maxBuffer: 2 ** 26 },
  );
  if (status !== 0) throw new Error(`protoc ${flag}: ${stderr.toString()}`);
  return stdout;
}

/** In the text format. Throws if they are no such message. */
export function protocDecode(message: string, bytes: Uint8Array, file: ProtoFile = 'otlp'): string {
  return protoc('--decode', file, message, bytes).toString();
}

export function protocEncode(message: string, text: string): Buffer {
  return protoc('--encode', 'otlp', message, text);
}
