/** Text of figures, as Prometheus reads it (exposition formats, "Text-based format"). */

export interface Metric {
  name: string;
  help: string;
  /** A `summary` without quantiles has the samples `_sum` and `_count`. */
  type: 'gauge' | 'counter' | 'summary';
  samples: readonly Sample[];
}

export interface Sample {
  /** Behind the metric's name. */
  suffix?: '_sum' | '_count';
  labels?: Readonly<Record<string, string>>;
  value: number;
}

export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map(renderMetric).join('');
}

function renderMetric({ name, help, type, samples }: Metric): string {
  const head = [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${name} ${type}`,
  ];
  return [...head, ...samples.map((sample) => renderSample(name, sample))]
    .map((line) => `${line}\n`)
    .join('');
}

function renderSample(name: string, { suffix, labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${suffix ?? ''}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
