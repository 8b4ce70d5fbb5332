import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';
import { renderTable } from '../../terminal/table.ts';
import { listTopics } from '../../words/help/topics.ts';

export function command(): Command {
  return new Command().addOption(jsonOption()).action(async (options: { json?: true }) => {
    const topics = (await listTopics()).map(({ name, title }) => ({ name, title }));
    if (options.json) return printJson(topics);
    const columns = [
      { header: 'TOPIC', value: (topic: { name: string }) => topic.name },
      { header: 'ABOUT', value: (topic: { title: string }) => topic.title },
    ];
    print(`${renderTable(topics, columns, paintOutput())}\n\`walt help show TOPIC\` opens one.`);
  });
}
