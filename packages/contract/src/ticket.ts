import { z } from 'zod';

/** What opens a job that was prepared, once. */
export const ticket = z.string().regex(/^[0-9a-f]{32}$/);
