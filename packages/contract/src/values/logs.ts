/** Lines that nodes and the platform log. */

/** What a stream is called. */
export const LOG_STREAM = /^[A-Za-z0-9._:/+@-]{1,128}$/;

/** Who issues the platform's own lines. */
export const PLATFORM_ISSUER = 'walt-server';

/** A checkpoint of a user: letters, digits and dashes, two at least. */
export const CHECKPOINT_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])$/;

/** Characters of a regular expression, and of a range. */
export const MAX_LOG_PATTERN = 1000;

/** Lines that are shown when nobody says which. */
export const LAST_LINES = 50;

/** Plain HTTP: lines of logs, and lines of a file. */
export const LOG_LINES = '/log/lines';
export const LOG_IMPORT = '/log/import';
