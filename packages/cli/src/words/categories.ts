/**
 * Folder `words/`: the words of a command line: which there are, their help and their completion.
 *
 * All commands by category and verb. Nothing of a command is loaded before it is the one that was asked for:
 * this table is all that `walt --help` and the completion of verbs need.
 */
import type { Command } from 'commander';
import type { Raised } from '../space/near-quotas.ts';

export interface CommandEntry {
  summary: string;
  load: () => Promise<{ command: () => Command }>;
  /** What users may have more of after it, of which there may be a quota. */
  raises?: Raised;
}

export interface Category {
  summary: string;
  commands: Readonly<Record<string, CommandEntry>>;
}

export const categories: Readonly<Record<string, Category>> = {
  node: {
    summary: 'the machines of your experiments: create, boot, reach them',
    commands: {
      show: { summary: 'list nodes', load: () => import('../commands/node/show.ts') },
      create: {
        summary: 'create a virtual node',
        load: () => import('../commands/node/create.ts'),
        raises: 'nodes',
      },
      remove: { summary: 'remove virtual nodes', load: () => import('../commands/node/remove.ts') },
      boot: {
        summary: 'boot an image on nodes',
        load: () => import('../commands/node/boot.ts'),
        raises: 'nodes',
      },
      deploy: {
        summary: 'the same as boot',
        load: () => import('../commands/node/boot.ts'),
        raises: 'nodes',
      },
      reboot: { summary: 'reboot nodes', load: () => import('../commands/node/reboot.ts') },
      wait: { summary: 'wait until nodes have booted', load: () => import('../commands/node/wait.ts') },
      log: { summary: 'list the last boots of a node', load: () => import('../commands/node/log.ts') },
      shell: { summary: 'open a shell on a node', load: () => import('../commands/node/shell.ts') },
      run: { summary: 'run a command on nodes', load: () => import('../commands/node/run.ts') },
      cp: { summary: 'copy files to or from a node', load: () => import('../commands/node/cp.ts') },
      expose: {
        summary: 'lead ports of this machine to ports of a node',
        load: () => import('../commands/node/expose.ts'),
      },
      ping: { summary: 'check that a node answers', load: () => import('../commands/node/ping.ts') },
      blink: { summary: 'make a node blink, to find it', load: () => import('../commands/node/blink.ts') },
      console: {
        summary: 'open the console of a node',
        load: () => import('../commands/node/console.ts'),
      },
      acquire: {
        summary: 'take free nodes for you',
        load: () => import('../commands/node/ownership/acquire.ts'),
        raises: 'nodes',
      },
      release: { summary: 'give nodes back', load: () => import('../commands/node/ownership/release.ts') },
      allow: {
        summary: 'let others use nodes of yours',
        load: () => import('../commands/node/ownership/allow.ts'),
      },
      disallow: {
        summary: 'take back that others may use nodes',
        load: () => import('../commands/node/ownership/disallow.ts'),
      },
      save: {
        summary: 'save what was changed on a node',
        load: () => import('../commands/node/save.ts'),
        raises: 'images',
      },
      verify: {
        summary: 'tell what differs from the image on a node',
        load: () => import('../commands/node/verify.ts'),
      },
      rename: { summary: 'rename a node', load: () => import('../commands/node/rename.ts') },
      config: {
        summary: 'show or change settings of nodes',
        load: () => import('../commands/node/config.ts'),
      },
    },
  },
  image: {
    summary: 'the operating systems that nodes boot: change, copy, remove them',
    commands: {
      show: {
        summary: 'list images, or tell all about one',
        load: () => import('../commands/image/show.ts'),
      },
      shell: {
        summary: 'change an image in a shell',
        load: () => import('../commands/image/shell.ts'),
        raises: 'images',
      },
      run: {
        summary: 'run a command in an image',
        load: () => import('../commands/image/run.ts'),
        raises: 'images',
      },
      build: {
        summary: 'build an image from a Dockerfile',
        load: () => import('../commands/image/build.ts'),
        raises: 'images',
      },
      cp: {
        summary: 'copy files to or from an image',
        load: () => import('../commands/image/cp.ts'),
        raises: 'images',
      },
      cross: {
        summary: 'build software for an image at full speed',
        load: () => import('../commands/image/cross.ts'),
        raises: 'images',
      },
      duplicate: {
        summary: 'give an image a second name',
        load: () => import('../commands/image/duplicate.ts'),
        raises: 'images',
      },
      squash: {
        summary: 'make one layer of all',
        load: () => import('../commands/image/squash.ts'),
        raises: 'images',
      },
      rename: { summary: 'rename an image', load: () => import('../commands/image/rename.ts') },
      allow: { summary: 'say who else sees an image', load: () => import('../commands/image/allow.ts') },
      remove: { summary: 'remove an image', load: () => import('../commands/image/remove.ts') },
      log: { summary: "list an image's versions", load: () => import('../commands/image/log.ts') },
      diff: {
        summary: 'tell what differs between two versions',
        load: () => import('../commands/image/diff.ts'),
      },
      undo: { summary: 'go back to the version before', load: () => import('../commands/image/undo.ts') },
      tag: { summary: 'give an older version a name', load: () => import('../commands/image/tag.ts') },
      prune: {
        summary: 'remove versions that are not kept',
        load: () => import('../commands/image/prune.ts'),
      },
      search: {
        summary: 'find images of other users and registries',
        load: () => import('../commands/image/search.ts'),
      },
      clone: {
        summary: 'bring such an image into your set',
        load: () => import('../commands/image/clone.ts'),
        raises: 'images',
      },
      publish: {
        summary: 'copy an image to a registry',
        load: () => import('../commands/image/publish.ts'),
      },
    },
  },
  registry: {
    summary: 'the registries that images come from and go to',
    commands: {
      show: {
        summary: 'list registries and your logins',
        load: () => import('../commands/registry/show.ts'),
      },
      login: { summary: 'log in to a registry', load: () => import('../commands/registry/login.ts') },
      logout: { summary: 'forget a login', load: () => import('../commands/registry/logout.ts') },
    },
  },
  log: {
    summary: 'lines that nodes and the platform log',
    commands: {
      show: { summary: 'print lines that were logged', load: () => import('../commands/log/show.ts') },
      wait: { summary: 'wait until a line is logged', load: () => import('../commands/log/wait.ts') },
      export: {
        summary: 'write lines that were logged to a file',
        load: () => import('../commands/log/export.ts'),
      },
      import: {
        summary: 'take in lines that were exported',
        load: () => import('../commands/log/import.ts'),
      },
      'add-checkpoint': {
        summary: 'give a moment a name',
        load: () => import('../commands/log/add-checkpoint.ts'),
      },
      'remove-checkpoint': {
        summary: 'forget such a name',
        load: () => import('../commands/log/remove-checkpoint.ts'),
      },
      'list-checkpoints': {
        summary: 'list your checkpoints',
        load: () => import('../commands/log/list-checkpoints.ts'),
      },
    },
  },
  device: {
    summary: 'everything that is on the WalT network',
    commands: {
      show: { summary: 'list devices', load: () => import('../commands/device/show.ts') },
      config: {
        summary: 'make an unknown device a node',
        load: () => import('../commands/device/config.ts'),
      },
      rename: { summary: 'rename a device', load: () => import('../commands/device/rename.ts') },
      ping: { summary: 'check that a device answers', load: () => import('../commands/device/ping.ts') },
      shell: {
        summary: 'open a shell on a device that is no node',
        load: () => import('../commands/device/shell.ts'),
      },
      forget: {
        summary: 'delete what is known of a device',
        load: () => import('../commands/device/forget.ts'),
      },
    },
  },
  server: {
    summary: 'the servers that you use: on this machine, or elsewhere by ssh',
    commands: {
      add: { summary: 'give a server elsewhere a name', load: () => import('../commands/server/add.ts') },
      list: { summary: 'list your servers', load: () => import('../commands/server/list.ts') },
      use: {
        summary: 'choose the server that is meant from now on',
        load: () => import('../commands/server/use.ts'),
      },
      remove: { summary: 'forget a server', load: () => import('../commands/server/remove.ts') },
    },
  },
  help: {
    summary: 'the manual',
    commands: {
      list: { summary: 'list the topics of the manual', load: () => import('../commands/help/list.ts') },
      show: { summary: 'read a topic of the manual', load: () => import('../commands/help/show.ts') },
    },
  },
  advanced: {
    summary: 'rarely needed: server, default images, shell completion',
    commands: {
      'server-status': {
        summary: 'show how the server and its programs are',
        load: () => import('../commands/advanced/server-status.ts'),
      },
      audit: {
        summary: 'show who did what, with which result',
        load: () => import('../commands/advanced/audit.ts'),
      },
      quotas: {
        summary: 'show how much you use, and how much you may',
        load: () => import('../commands/advanced/quotas.ts'),
      },
      'disk-usage': {
        summary: "show what takes the server's disk: by user, image and node",
        load: () => import('../commands/advanced/disk-usage.ts'),
      },
      'update-default-images': {
        summary: 'make the default image anew from current packages',
        load: () => import('../commands/advanced/update-default-images.ts'),
      },
      'dump-bash-autocomplete': {
        summary: 'print the completion code for bash',
        load: () => import('../commands/advanced/dump-bash-autocomplete.ts'),
      },
      'dump-zsh-autocomplete': {
        summary: 'print the completion code for zsh',
        load: () => import('../commands/advanced/dump-zsh-autocomplete.ts'),
      },
    },
  },
};

/** Commands without a category. */
export const singles: Readonly<Record<string, CommandEntry>> = {
  'ssh-config': {
    summary: 'print what ssh, scp, rsync, Ansible… need to reach nodes',
    load: () => import('../commands/ssh-config.ts'),
  },
};

/** Called by ssh, by the shells and by a walt elsewhere, not by people. */
export const plumbing: Readonly<Record<string, CommandEntry>> = {
  'ssh-proxy': {
    summary: 'relay to the SSH server of a node',
    load: () => import('../commands/plumbing/ssh-proxy.ts'),
  },
  'ssh-cert': {
    summary: 'make a fresh certificate for a node',
    load: () => import('../commands/plumbing/ssh-cert.ts'),
  },
  'sign-in': {
    summary: 'tell a walt elsewhere who you are here',
    load: () => import('../commands/plumbing/sign-in.ts'),
  },
  'dial-stdio': {
    summary: "join standard input and output to this machine's server",
    load: () => import('../commands/plumbing/dial-stdio.ts'),
  },
  complete: { summary: 'print completions', load: () => import('../commands/plumbing/complete.ts') },
};
