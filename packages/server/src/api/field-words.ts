/** What users call the fields of the contract: words of the command line. */
const WORDS: Readonly<Record<string, string>> = {
  all: '--all',
  architecture: '--arch',
  args: '--build-arg',
  at: '--date',
  both: 'The directions to end',
  cache: '--no-cache',
  columns: 'The width of the terminal',
  command: 'The command',
  contents: '--patch',
  count: '--count',
  dockerfile: 'The Dockerfile',
  dryRun: '--dry-run',
  file: '--file',
  folder: 'The folder',
  force: '--force',
  groups: '--group',
  hard: '--hard',
  image: 'The image',
  job: 'The job',
  keyword: 'The keyword',
  link: 'The link',
  model: '--model',
  name: 'The name',
  newName: 'The new name',
  node: 'The node',
  nodes: 'The list of nodes',
  nonce: 'The sign-in',
  only: 'The kind of answer',
  other: 'The other version',
  password: 'The password',
  path: 'The path',
  paths: 'The path',
  port: 'The port',
  power: 'The question for power',
  prefix: '--prefix',
  publicKey: 'The public key',
  registry: 'The registry',
  renew: '--if-missing',
  rows: 'The height of the terminal',
  save: '--save-as',
  saveAs: 'The name of the new image',
  session: 'The session',
  settings: 'The settings',
  set: 'The set of nodes',
  source: 'The source',
  target: '--target',
  timeout: '--timeout',
  username: '--username',
  users: 'The login',
  visibility: 'The visibility',
  yes: '--yes',
};

/** How a sentence about a field begins. What no command line has is told as it is: only programs send it. */
export function fieldWords(path: readonly PropertyKey[]): string {
  const [first] = path;
  if (first === undefined) return 'The input';
  return Object.hasOwn(WORDS, first)
    ? (WORDS[String(first)] ?? '')
    : `The field ${JSON.stringify(String(first))}`;
}

export function hasWords(field: string): boolean {
  return Object.hasOwn(WORDS, field);
}
