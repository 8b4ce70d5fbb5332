import { Command } from 'commander';
import { listTopics } from '../../help/topics.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../output.ts';
import { renderTable } from '../../table.ts';

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
