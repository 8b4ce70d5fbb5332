/** What runs on a node for a copy: POSIX sh, with any tar. Paths come as arguments; `~/` is the home folder, as for scp. */

const PATH_OF_ARGUMENT = `
path=$1
case $path in
  '~') path=$HOME ;;
  '~/'*) path=$HOME/\${path#'~/'} ;;
esac
case $path in
  /*) ;;
  *) path=./$path ;;
esac`;

/** What a script says before any byte of an archive, on a line of its own. */
export type Answer = 'gnu' | 'other' | 'file' | 'folder' | 'none' | 'no-folder' | 'no-tar';

/** Says what is at PATH: \`folder\`, \`file\` (or a link, or anything else) or \`none\`. */
export const KIND = `${PATH_OF_ARGUMENT}
case $path in
  */ | */. | */..) [ -d "$path" ] && echo folder && exit ;;
esac
if [ -L "$path" ]; then echo file
elif [ -d "$path" ]; then echo folder
elif [ -e "$path" ]; then echo file
else echo none
fi`;

/** Sends a tar of PATH: all that is in it where CONTENT is \`content\`, else the one entry. */
export const PACK = `${PATH_OF_ARGUMENT}
command -v tar >/dev/null || exit 127
if [ "$2" = content ]; then exec tar -c -f - -C "$path" .; fi
while [ "$path" != "\${path%/}" ]; do path=\${path%/}; done
exec tar -c -f - -C "\${path%/*}/" -- "./\${path##*/}"`;

/**
 * Unpacks a tar from standard input at PATH, by the rules of cp(1). KIND: \`content\` of a folder, a \`folder\` called BASE, or a \`file\` called
 * BASE, whose tar has it as its one entry; those of the others have what is in the folder. Answers first: which tar it has, or
 * why it takes nothing. A file gets its place as a whole, by a rename.
 */
export const UNPACK = `${PATH_OF_ARGUMENT}
kind=$2 base=$3
refuse() { echo "$1"; exit 1; }
command -v tar >/dev/null || refuse no-tar
target=$path
if [ -d "$path" ]; then
  [ "$kind" = content ] || target=$path/$base
elif [ "$kind" = file ] && [ "$path" != "\${path%/}" ]; then refuse no-folder
else
  while [ "$target" != "\${target%/}" ]; do target=\${target%/}; done
fi
parent=\${target%/*}/
[ -d "$parent" ] || refuse no-folder
if [ "$kind" = file ]; then
  if [ -d "$target" ] && [ ! -L "$target" ]; then refuse folder; fi
elif [ ! -d "$target" ] && { [ -e "$target" ] || [ -L "$target" ]; }; then refuse file
fi
options='-x -p -f -'
if tar --version 2>/dev/null | grep -q GNU; then
  options="$options --numeric-owner --xattrs --xattrs-include=* --warning=no-timestamp"
  echo gnu
else
  echo other
fi
set -f
if [ "$kind" != file ]; then
  [ -d "$target" ] || mkdir -- "$target" || exit
  exec tar $options -C "$target"
fi
fresh=$(mktemp -d "$parent.walt-cp-XXXXXX") || exit
trap 'rm -rf -- "$fresh"' EXIT
trap 'exit 1' HUP INT TERM
tar $options -C "$fresh" && mv -f -- "$fresh/$base" "$target"`;
