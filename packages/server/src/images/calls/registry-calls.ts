import {
  formatImageLink,
  fullName,
  type imageRegistryCalls,
  isImageName,
  isPublishName,
  PLATFORM_LABEL,
  parsePublishName,
  type RegistryLink,
  type registryContract,
} from '@walt/contract';
import { type CallsOf, refusal } from '../../access/index.ts';
import { UserError } from '../../platform/index.ts';
import type { ImageRecord } from '../types.ts';
import { type CallDeps, describeSaved } from './deps.ts';
import { findImage } from './find.ts';

/** The contract's calls about registries themselves. */
export function registryCalls({ images }: CallDeps): CallsOf<typeof registryContract> {
  const { registries } = images;
  return {
    list: async (caller) => await registries.list(caller.user),

    login: async (caller, { registry, username, password }) => {
      await registries.login(caller.user, registry, username, password);
      return { registry, username };
    },

    logout: async (caller, { registry }) => {
      return { registry, username: (await registries.logout(caller.user, registry)) ?? null };
    },
  };
}

/** The contract's calls about images that come from elsewhere and go there. What is cloned is the caller's own. */
export function imagesElsewhere({ images, nodes }: CallDeps): CallsOf<typeof imageRegistryCalls> {
  const { registries } = images;
  return {
    search: async (caller, { keyword }, signal) => {
      const searching = registries.search(caller.user, keyword, signal);
      return (async function* () {
        const all = await images.sharing.seen(caller, await images.list());
        const others = all.filter(
          (image) =>
            image.owner !== caller.user && (keyword === undefined || fullName(image).includes(keyword)),
        );
        const here = others.map((image) => ({
          ...{
            location: PLATFORM_LABEL,
            name: fullName(image),
            architecture: image.architecture,
            description: '',
          },
          link: formatImageLink({ kind: 'platform', owner: image.owner, name: image.name }),
        }));
        const { found, failed } = yield* searching;
        yield { type: 'result' as const, value: { found: [...here, ...found], failed } };
      })();
    },

    clone: async (caller, { link, name, force, architecture }, signal) => {
      const described = async (image: ImageRecord, source: string | null) => {
        const { changed: _, ...told } = await describeSaved(nodes, image, true);
        const value = { ...told, architecture: image.architecture, source };
        return { type: 'result' as const, value };
      };
      if (link.kind === 'platform') {
        const source = await images.getSeen(caller, link);
        const target = { owner: caller.user, name: name ?? source.name };
        if (architecture !== undefined && architecture !== source.architecture) {
          throw new UserError(
            'INVALID',
            `Image ${fullName(source)} is for ${source.architecture}, not for ${architecture}.`,
            'Leave out --arch.',
          );
        }
        const taken = await registries.take(caller.user, source, target, force);
        return (async function* () {
          yield await described(taken, null);
        })();
      }
      const { user: owner } = caller;
      const target = name === undefined ? { owner, fallback: () => nameOf(link) } : { owner, name };
      const cloning = registries.clone(caller.user, link, target, { force, architecture }, signal);
      return (async function* () {
        const { image, source } = yield* cloning;
        yield await described(image, source);
      })();
    },

    publish: async (caller, { image, registry, name, yes }, signal) => {
      const record = await findImage(images, image, caller);
      const all = await registries.list(caller.user);
      const { label, kind, username } = chooseRegistry(all, registry);
      const whole = name ?? publicName(record.name, kind === 'docker-hub' ? username : caller.user, label);
      const { repository, tag } = parsePublishName(whole);
      const to = { label, repository, tag, replace: yes };
      const publishing = registries.publish(caller.user, record, to, signal);
      return (async function* () {
        const digest = yield* publishing;
        const place = { kind: 'registry' as const, label, repository };
        const link = formatImageLink({ ...place, tag });
        yield {
          type: 'result' as const,
          value: { link, source: formatImageLink({ ...place, digest }), digest },
        };
      })();
    },
  };
}

/** The last part of a link, with its tag unless that is `latest`. Throws UserError INVALID when that is no image's name. */
export function nameOf({ repository, tag = 'latest' }: RegistryLink): string {
  const last = repository.slice(repository.lastIndexOf('/') + 1);
  const name = tag === 'latest' ? last : `${last}:${tag}`;
  if (isImageName(name)) return name;
  throw new UserError(
    'INVALID',
    `"${name}" cannot be the name of an image here.`,
    'Add another name to the command.',
  );
}

/** `prefix/name:tag` as registries write names. Throws UserError when a name has to be given. */
export function publicName(name: string, prefix: string | null, label: string): string {
  if (prefix === null) throw refusal('registry.publish', { label, login: prefix });
  const whole = `${prefix.toLowerCase()}/${name}`;
  if (isPublishName(whole)) return whole;
  throw new UserError(
    'INVALID',
    `"${whole}" cannot be the name of an image in a registry.`,
    'Choose one with --name.',
  );
}

interface Choice {
  label: string;
  kind: 'docker-registry-v2' | 'docker-hub';
  username: string | null;
}

/** The one that is named, else the only one, else the only one with a login. Throws UserError when that is nobody. */
export function chooseRegistry<R extends Choice>(registries: readonly R[], label: string | undefined): R {
  const known = registries.filter(({ username }) => username !== null);
  const fitting = registries.filter((registry) => registry.label === label);
  const candidates = label !== undefined ? fitting : registries.length === 1 ? registries : known;
  const [chosen, ...others] = candidates;
  if (chosen && others.length === 0) return chosen;
  const labels = registries.map((registry) => registry.label).join(', ');
  if (registries.length === 0) {
    throw new UserError(
      'NOT_FOUND',
      'This platform knows no registry.',
      'The administrator adds registries to server.conf: walt help show registries',
    );
  }
  if (label !== undefined) {
    throw new UserError(
      'NOT_FOUND',
      `This platform knows no registry "${label}".`,
      `It knows: ${labels}. See: walt registry show`,
    );
  }
  throw new UserError(
    'INVALID',
    `There are several registries: ${labels}.`,
    'Name the one that you mean: --registry LABEL',
  );
}
