/** What a Redfish service answers: an object of JSON, of which nothing is known yet. */
export type Resource = Readonly<Record<string, unknown>>;

export function isResource(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The path of what a property stands for (DSP0266, "Resource identifier property"); undefined: it does not say. */
export function idIn(value: unknown): unknown {
  return isResource(value) ? value['@odata.id'] : undefined;
}
