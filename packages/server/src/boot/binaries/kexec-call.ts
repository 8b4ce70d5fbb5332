import type { Architecture } from '@walt/contract';
import { type Code, staticProgram } from './static-program.ts';

const AMD64: Code = [
  ['59', 'pop rcx'], // argc
  ['ff c9', 'dec ecx'],
  ['74 28', 'jz restart'],
  ['5e', 'pop rsi'], // argv[0]
  ['41 5a', 'pop r10'], // argv[1]: cmdline
  ['4c 89 d7', 'mov rdi, r10'],
  ['31 c0', 'xor eax, eax'],
  ['48 83 c9 ff', 'or rcx, -1'],
  ['f2 ae', 'repne scasb'], // to behind its final NUL
  ['48 89 fa', 'mov rdx, rdi'],
  ['4c 29 d2', 'sub rdx, r10'], // cmdline_len
  ['bf 03 00 00 00', 'mov edi, 3'], // kernel_fd
  ['be 04 00 00 00', 'mov esi, 4'], // initrd_fd
  ['45 31 c0', 'xor r8d, r8d'], // flags
  ['b8 40 01 00 00', 'mov eax, 320'], // kexec_file_load
  ['eb 14', 'jmp call'],
  ['bf ad de e1 fe', 'restart: mov edi, 0xfee1dead'], // LINUX_REBOOT_MAGIC1
  ['be 69 19 12 28', 'mov esi, 0x28121969'], // LINUX_REBOOT_MAGIC2
  ['ba 43 45 58 45', 'mov edx, 0x45584543'], // LINUX_REBOOT_CMD_KEXEC
  ['b8 a9 00 00 00', 'mov eax, 169'], // reboot
  ['0f 05', 'call: syscall'],
  ['f7 d8', 'neg eax'],
  ['89 c7', 'mov edi, eax'],
  ['b8 3c 00 00 00', 'mov eax, 60'], // exit
  ['0f 05', 'syscall'],
];

/**
 * A program that makes the two system calls of kexec, and needs nothing else. With an argument, it loads the kernel that is open as
 * file 3, with the initramfs that is open as file 4 and that command line: kexec_file_load(2). Without one, it starts what was loaded:
 * reboot(2). Its exit status is the number of the error, the last eight bits of it. Undefined where there is none for a CPU.
 */
export function kexecCall(architecture: Architecture): Buffer | undefined {
  return architecture === 'amd64' ? staticProgram(architecture, AMD64) : undefined;
}
