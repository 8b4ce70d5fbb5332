import type { Architecture } from '@walt/contract';
import { type Code, staticProgram } from './static-program.ts';

/** Bytes that the program reads. */
const REQUEST = 1024;

const AMD64: Code = [
  ['48 81 ec 00 04 00 00', 'sub rsp, 1024'],
  ['bd 03 09 06 00', 'mov ebp, 0x060903'], // DM_DEV_CREATE, DM_TABLE_LOAD, DM_DEV_SUSPEND, which resumes: the last byte first
  ['31 ff', 'next: xor edi, edi'],
  ['48 89 e6', 'mov rsi, rsp'],
  ['ba 00 04 00 00', 'mov edx, 1024'],
  ['45 31 d2', 'xor r10d, r10d'], // from its beginning: the kernel answers into what it was given
  ['b8 11 00 00 00', 'mov eax, 17'], // pread64
  ['0f 05', 'syscall'],
  ['48 85 c0', 'test rax, rax'],
  ['78 21', 'js done'],
  ['bf 03 00 00 00', 'mov edi, 3'],
  ['be 00 fd 38 c1', 'mov esi, 0xc138fd00'], // _IOWR(DM_IOCTL, 0, struct dm_ioctl)
  ['40 08 ee', 'or sil, bpl'],
  ['48 89 e2', 'mov rdx, rsp'],
  ['b8 10 00 00 00', 'mov eax, 16'], // ioctl
  ['0f 05', 'syscall'],
  ['48 85 c0', 'test rax, rax'],
  ['78 05', 'js done'],
  ['c1 ed 08', 'shr ebp, 8'],
  ['75 c6', 'jnz next'],
  ['f7 d8', 'done: neg eax'],
  ['89 c7', 'mov edi, eax'],
  ['b8 3c 00 00 00', 'mov eax, 60'], // exit
  ['0f 05', 'syscall'],
];

/** The same. */
const ARM64: Code = [
  ['ff 03 10 d1', 'sub sp, sp, #1024'],
  ['73 20 81 52', 'movz w19, #0x0903'],
  ['d3 00 a0 72', 'movk w19, #0x06, lsl #16'],
  ['00 00 80 d2', 'next: mov x0, #0'],
  ['e1 03 00 91', 'mov x1, sp'],
  ['02 80 80 d2', 'mov x2, #1024'],
  ['03 00 80 d2', 'mov x3, #0'],
  ['68 08 80 d2', 'mov x8, #67'], // pread64
  ['01 00 00 d4', 'svc #0'],
  ['a0 01 f8 b7', 'tbnz x0, #63, done'],
  ['60 00 80 d2', 'mov x0, #3'],
  ['61 1e 00 12', 'and w1, w19, #0xff'],
  ['09 a0 9f 52', 'movz w9, #0xfd00'],
  ['09 27 b8 72', 'movk w9, #0xc138, lsl #16'],
  ['21 00 09 2a', 'orr w1, w1, w9'],
  ['e2 03 00 91', 'mov x2, sp'],
  ['a8 03 80 d2', 'mov x8, #29'], // ioctl
  ['01 00 00 d4', 'svc #0'],
  ['80 00 f8 b7', 'tbnz x0, #63, done'],
  ['73 7e 08 53', 'lsr w19, w19, #8'],
  ['f3 fd ff 35', 'cbnz w19, next'],
  ['00 00 80 d2', 'mov x0, #0'],
  ['e0 03 00 cb', 'done: neg x0, x0'],
  ['a8 0b 80 d2', 'mov x8, #93'], // exit
  ['01 00 00 d4', 'svc #0'],
];

/**
 * A program that makes a device of device-mapper, and needs nothing else: busybox has no dmsetup(8). Its standard input, which can be
 * read twice, is a request as below; file 3 is `/dev/mapper/control`. Its exit status is the number of the error. Undefined where there
 * is none for a CPU.
 */
export function dmCall(architecture: Architecture): Buffer | undefined {
  switch (architecture) {
    case 'amd64':
      return staticProgram(architecture, AMD64);
    case 'arm64':
      return staticProgram(architecture, ARM64);
    default:
      return undefined;
  }
}

/** A volume whose blocks have their hash tree behind them. */
export interface ProvenVolume {
  /** File name. */
  name: string;
  /** Blocks of 4096 bytes in front of the tree. */
  blocks: number;
  /** 64 hexadecimal digits. */
  root: string;
}

/** Bytes of struct dm_ioctl (linux/dm-ioctl.h); the same for all CPUs that nodes have. */
const HEADER = 312;
const READ_ONLY = 1;

/**
 * What the kernel is asked for: a read-only device that has the blocks of `device`, of which it checks each that it reads against the
 * tree that lies behind them (Documentation/admin-guide/device-mapper/verity.rst, "Construction Parameters").
 */
export function verityRequest({ name, blocks, root }: ProvenVolume, device: string): Buffer {
  const request = Buffer.alloc(REQUEST);
  request.writeUInt32LE(4, 0); // version 4.0.0
  request.writeUInt32LE(REQUEST, 12); // data_size
  request.writeUInt32LE(HEADER, 16); // data_start
  request.writeUInt32LE(1, 20); // target_count
  request.writeUInt32LE(READ_ONLY, 28); // flags
  request.write(name, 48);
  // struct dm_target_spec, for the whole device, in sectors of 512 bytes
  request.writeBigUInt64LE(BigInt(blocks) * 8n, HEADER + 8);
  request.write('verity', HEADER + 24);
  request.write(`1 ${device} ${device} 4096 4096 ${blocks} ${blocks} sha256 ${root} -`, HEADER + 40);
  return request;
}
