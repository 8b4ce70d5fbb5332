import type {
  AnySchema,
  ContractProcedure,
  ErrorMap,
  InferSchemaInput,
  InferSchemaOutput,
  Meta,
} from '@orpc/contract';
import type { Caller } from './caller.ts';

/**
 * A part of the contract as the domain offers it that answers it: validated input, output before validation. The calls throw
 * UserError for what users can mend.
 */
export type CallsOf<Contract> = {
  [Name in keyof Contract]: Contract[Name] extends ContractProcedure<
    infer Input extends AnySchema,
    infer Output extends AnySchema,
    ErrorMap,
    Meta
  >
    ? (
        caller: Caller,
        input: InferSchemaOutput<Input>,
        /** Aborted when the client is gone or no longer interested. */
        signal: AbortSignal,
      ) => Promise<InferSchemaInput<Output>>
    : CallsOf<Contract[Name]>;
};
