import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FILES = 24;
const FUNCTIONS = 30;

/** Writes a C project of some dozen files with some hundred functions, built by `make`; `make CC=…` takes another compiler. */
export async function writeProject(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const names = Array.from({ length: FILES }, (_, file) => `part${file}`);
  for (const [file, name] of names.entries()) {
    const functions = Array.from({ length: FUNCTIONS }, (_, index) =>
      functionText(`${name}_${index}`, file + index),
    );
    const calls = functions.map((_, index) => `  sum += ${name}_${index}(text, n + ${index});\n`).join('');
    const total = `unsigned long ${name}(const char *text, unsigned n) {\n  unsigned long sum = 0;\n${calls}  return sum;\n}\n`;
    const head =
      '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n#include <sys/socket.h>\n';
    await writeFile(join(folder, `${name}.c`), `${head}${functions.join('')}${total}`);
  }
  const declared = names.map((name) => `unsigned long ${name}(const char *, unsigned);\n`).join('');
  const called = names.map((name) => ` + ${name}(argv[0], argc)`).join('');
  await writeFile(
    join(folder, 'main.c'),
    `#include <stdio.h>\n${declared}int main(int argc, char **argv) { printf("%lu\\n", 0ul${called}); }\n`,
  );
  const objects = [...names, 'main'].map((name) => `${name}.o`).join(' ');
  await writeFile(
    join(folder, 'Makefile'),
    `CC = gcc\nCFLAGS = -O2 -Wall\nprogram: ${objects}\n\t$(CC) -o $@ $^ -lm\nclean:\n\trm -f *.o program\n`,
  );
}

function functionText(name: string, seed: number): string {
  return `static unsigned long ${name}(const char *text, unsigned n) {
  unsigned long hash = ${seed}ul, table[64];
  for (unsigned i = 0; i < 64; i++) table[i] = (i * ${2 * seed + 1}u) ^ (hash << (i & 7));
  for (size_t i = 0; text[i] != 0; i++) {
    hash = hash * ${seed + 31}u + (unsigned char)text[i];
    switch (hash % ${5 + (seed % 7)}) {
      case 0: table[i & 63] += hash; break;
      case 1: table[(i * 7) & 63] ^= n; break;
      case 2: hash ^= table[(n + i) & 63]; break;
      case 3: hash += (unsigned long)(sqrt((double)(hash & 1023)) * ${seed + 3}); break;
      default: for (unsigned j = 0; j < (n & 15); j++) hash = (hash >> 1) ^ table[(j + i) & 63];
    }
  }
  char line[80];
  snprintf(line, sizeof line, "%s %lu %u", text, hash, n);
  return hash + strlen(line) + table[n & 63];
}
`;
}
