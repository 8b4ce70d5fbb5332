/** The server's journal: one line per event on standard error, `TIME LEVEL AREA MESSAGE key=value…`. Never secrets. */
export type Fields = Record<string, string | number | boolean | null | undefined>;

export interface Log {
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

export function createLog(area: string): Log {
  const write =
    (level: string) =>
    (message: string, fields: Fields = {}) => {
      const tail = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => ` ${key}=${typeof value === 'string' ? JSON.stringify(value) : value}`)
        .join('');
      process.stderr.write(`${new Date().toISOString()} ${level} ${area} ${message}${tail}\n`);
    };
  return { info: write('info'), warn: write('warn'), error: write('error') };
}
