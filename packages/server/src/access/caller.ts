/** Who calls, as the operating system proved it. */
export interface Caller {
  uid: number;
  /** Login name on the server. */
  user: string;
  /** root: may do everything. */
  admin: boolean;
}
