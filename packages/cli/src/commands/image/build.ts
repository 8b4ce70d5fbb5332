import { connect } from '@walt/client/connection';
import type { Architecture } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { ARCHITECTURES } from '@walt/contract/values/kinds';
import { Command, Option } from 'commander';
import { INTERRUPTED, UsageError } from '../../errors.ts';
import { buildImage } from '../../images/build/build.ts';
import { splitUrl } from '../../images/build/git.ts';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { jsonOption, yesOption } from '../../options.ts';
import type { YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';

interface Options extends YesOption {
  fromDir?: string;
  fromUrl?: string;
  ref?: string;
  subDir?: string;
  file?: string;
  buildArg: string[];
  arch?: Architecture;
  target?: string;
  cache: boolean;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<image>', 'name of the image, in your own set')
    .option('--from-dir <folder>', 'build this folder of yours (default: the current one)')
    .option(
      '--from-url <url>',
      'build a git repository, which is fetched with your own keys; URL#REF:FOLDER names a version and a folder',
    )
    .option('--ref <ref>', 'its branch, tag or whole commit hash (default: what it has as HEAD)')
    .option('--sub-dir <folder>', 'build this folder below it')
    .option('-f, --file <name>', 'the Dockerfile (default: Containerfile or Dockerfile)')
    .addOption(
      new Option('--build-arg <name=value>', 'value of an ARG; NAME alone takes it from your environment')
        .argParser((word: string, words: string[]) => [...words, word])
        .default([], ''),
    )
    .addOption(
      new Option(
        '--arch <architecture>',
        "for images of registries, and FROM scratch (default: the server's)",
      ).choices(ARCHITECTURES),
    )
    .option('--target <stage>', 'build this stage, by its name or number (default: the last one)')
    .option('--no-cache', 'run every step again')
    .addOption(yesOption())
    .addOption(jsonOption())
    .description(
      'Build an image from a Dockerfile or Containerfile. FROM NAME is your own image, FROM USER/NAME that of another\n' +
        'user, FROM waltplatform/NAME a default one, and FROM hub:debian:12 one of a registry. Files that .dockerignore\n' +
        'or .containerignore names are not sent. Steps that have not changed are not run again.\n' +
        'When a step fails, the line is named and the image stays as it was; ctrl-c ends a build.',
    )
    .action(async (name: string, options: Options) => {
      const { fromDir, fromUrl, file, buildArg, arch, cache, target, json, yes } = options;
      if (fromDir !== undefined && fromUrl !== undefined) {
        throw new UsageError('--from-dir and --from-url contradict each other.', 'Take one of them.');
      }
      if (options.ref !== undefined && fromUrl === undefined) {
        throw new UsageError('--ref is a version of a git repository.', 'Give its address with --from-url.');
      }
      const { url, ref, subDir } = repository(options);
      const connection = connect();
      const saved = await buildImage(connection, {
        name,
        source: { dir: fromDir, url, ref, subDir, file },
        args: readArguments(buildArg),
        architecture: arch,
        ...{ cache, target },
        output: json ? process.stderr : process.stdout,
        ...(yes && { yes }),
      });
      if (saved === undefined) {
        process.exitCode = INTERRUPTED;
        return;
      }
      if (json) return printJson(saved);
      const { image, digest, changed, nodes } = saved;
      print(
        changed
          ? `${image} is built (${shortDigest(digest)}).`
          : `${image} was just that already (${shortDigest(digest)}).`,
      );
      await offerReboot(connection.client, nodes);
    });
}

/** What `URL#REF:FOLDER` and the options say together. */
function repository({ fromUrl, ref, subDir }: Options): {
  url: string | undefined;
  ref: string | undefined;
  subDir: string | undefined;
} {
  if (fromUrl === undefined) return { url: undefined, ref, subDir };
  const named = splitUrl(fromUrl);
  if (
    (named.ref !== undefined && ref !== undefined) ||
    (named.subDir !== undefined && subDir !== undefined)
  ) {
    throw new UsageError(
      'The version or the folder is named twice: behind # and by an option.',
      'Name each once.',
    );
  }
  return { url: named.url, ref: named.ref ?? ref, subDir: named.subDir ?? subDir };
}

function readArguments(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at >= 0) return [word.slice(0, at), word.slice(at + 1)];
      const value = process.env[word];
      if (value !== undefined) return [word, value];
      throw new UsageError(
        `There is no variable ${JSON.stringify(word)} in your environment.`,
        'Write --build-arg NAME=VALUE.',
      );
    }),
  );
}
