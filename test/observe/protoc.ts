/** The compiler of protobuf as a judge of bytes: it reads them by otlp.proto into text, and writes text as bytes. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { serverPath } from '../../scripts/servers.ts';

const folder = import.meta.dirname;

function protoc(flag: '--decode' | '--encode', message: string, input: Uint8Array | string): Buffer {
  const path = join(folder, 'otlp.proto');
  const { status, stdout, stderr } = spawnSync(
    serverPath('protoc'),
    [`${flag}=otlp.${message}`, `--proto_path=${folder}`, path],
    { input, maxBuffer: 2 ** 26 },
  );
  if (status !== 0) throw new Error(`protoc ${flag}: ${stderr.toString()}`);
  return stdout;
}

/** In the text format. Throws if they are no such message. */
export function protocDecode(message: string, bytes: Uint8Array): string {
  return protoc('--decode', message, bytes).toString();
}

export function protocEncode(message: string, text: string): Buffer {
  return protoc('--encode', message, text);
}
