/**
 * A wall clock that a test sets for a process which asks the kernel by itself, as Go does (etcd): no library can stand before it. What such a
 * process calls is a function in the vDSO, a page of the kernel's that every process has a copy of; in that of one process this puts another in its place,
 * which makes the true system call and adds so many seconds to what it says.
 *
 * Invariants: only `CLOCK_REALTIME` is changed; the monotonic clock, and with it timers and leases of etcd, is true. No thread of the process runs while
 * its code is written. The process is the caller's own, or the caller is root: Linux lets nobody else write to its memory (`/proc/PID/mem`). A process that is
 * started again has a true clock.
 * Cost: a system call for each look at the clock, some 100 ns.
 * x64 only: the few instructions are written down below. What asks by libc is served by `FakeClock`, on any machine.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

import { freeze, thaw } from '../servers/process-state.ts';

/** Where what a clock is ahead, in seconds, stands among the instructions. */
const AHEAD = 13;
/** `int clock_gettime(clock, time)` in x64, a line each: the system call; if the clock is `CLOCK_REALTIME`, so many seconds more; 0. */
const CODE = ['b8e40000000f05', '85ff750d', '48b90000000000000000', '48010e', '31c0c3'].join('');
/** A jump: one byte, and how far from its end, in four. */
const JUMP = 0xe9;
const JUMP_BYTES = 5;

/** Tags of the dynamic section of an ELF file (System V ABI): where names are, and symbols. */
const STRINGS = 5;
const SYMBOLS = 6;
const DYNAMIC_SEGMENT = 2;

export class VdsoClock {
  readonly #pid: number;
  readonly #code = Buffer.from(CODE, 'hex');
  readonly #at: number;

  /** Of a process that has begun, until it ends; right until it is set. */
  constructor(pid: number) {
    if (process.arch !== 'x64') throw new Error(`A clock in the vDSO is written for x64; this is ${process.arch}.`);
    this.#pid = pid;
    const { start, image } = vdsoOf(pid);
    const function_ = symbolOf(image, '__vdso_clock_gettime');
    // Behind all that is in use, where the last page is empty.
    const free = Math.ceil((image.findLastIndex((byte) => byte !== 0) + 1) / 64) * 64;
    if (free + this.#code.length > image.length) throw new Error('The last page of the vDSO has no room.');
    this.#at = start + free;
    const jump = Buffer.from([JUMP, 0, 0, 0, 0]);
    jump.writeInt32LE(free - (function_ + JUMP_BYTES), 1);
    this.#write([this.#at, this.#code], [start + function_, jump]);
  }

  /** So far from the true time from now on, in whole seconds. */
  set(offsetMs: number): void {
    this.#code.writeBigInt64LE(BigInt(Math.round(offsetMs / 1000)), AHEAD);
    this.#write([this.#at, this.#code]);
  }

  #write(...pieces: readonly (readonly [at: number, bytes: Buffer])[]): void {
    freeze(this.#pid);
    try {
      const memory = openSync(`/proc/${this.#pid}/mem`, 'r+');
      try {
        for (const [at, bytes] of pieces) writeSync(memory, bytes, 0, bytes.length, at);
      } finally {
        closeSync(memory);
      }
    } finally {
      thaw(this.#pid);
    }
  }
}

/** The vDSO of a process: where it begins, and what it is. */
function vdsoOf(pid: number): { readonly start: number; readonly image: Buffer } {
  const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
  const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$/m.exec(maps) ?? [];
  if (from === '') throw new Error(`Process ${pid} has no vDSO.`);
  const start = parseInt(from, 16);
  const image = Buffer.alloc(parseInt(to, 16) - start);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    readSync(memory, image, 0, image.length, start);
  } finally {
    closeSync(memory);
  }
  return { start, image };
}

/** A 64-bit number, which is below 2^53 wherever it is an offset. */
const wide = (image: Buffer, at: number): number => Number(image.readBigUInt64LE(at));

/** Where a symbol of an ELF image begins. */
function symbolOf(image: Buffer, name: string): number {
  const [segments, count] = [wide(image, 32), image.readUInt16LE(56)];
  const tags = new Map<number, number>();
  for (let at = segments; at < segments + 56 * count; at += 56) {
    if (image.readUInt32LE(at) !== DYNAMIC_SEGMENT) continue;
    for (let entry = wide(image, at + 8); wide(image, entry) !== 0; entry += 16) {
      tags.set(wide(image, entry), wide(image, entry + 8));
    }
  }
  const [symbols = 0, strings = 0] = [tags.get(SYMBOLS), tags.get(STRINGS)];
  // The names follow the symbols, 24 bytes each.
  for (let at = symbols; at < strings; at += 24) {
    const text = strings + image.readUInt32LE(at);
    if (image.toString('latin1', text, image.indexOf(0, text)) === name) return wide(image, at + 8);
  }
  throw new Error(`The vDSO has no ${name}.`);
}
