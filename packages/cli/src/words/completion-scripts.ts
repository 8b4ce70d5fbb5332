/** Code for the user's shell that asks `walt complete` for candidates. */

/**
 * A colon, an at sign or an equals sign breaks words in bash's readline (COMP_WORDBREAKS), so words are put together again from
 * the line, and what stands before the last of them is cut from the candidates.
 */
export function bashCompletion(): string {
  return `# WalT completion for bash
_walt_complete() {
  local line=\${COMP_LINE:0:COMP_POINT} words current
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]}-1]}
  local IFS=$'\\n'
  COMPREPLY=($("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null))
  local index sign before=
  for sign in : @ =; do
    [[ $current == *"$sign"* && $COMP_WORDBREAKS == *"$sign"* ]] || continue
    index=\${current%"$sign"*}
    (( \${#index} >= \${#before} )) && before=$index$sign
  done
  for index in "\${!COMPREPLY[@]}"; do COMPREPLY[index]=\${COMPREPLY[index]#"$before"}; done
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *[/=] ]] && compopt -o nospace
}
complete -o default -F _walt_complete walt
`;
}

export function zshCompletion(): string {
  return `# WalT completion for zsh
_walt_complete() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=("\${(@)candidates:#}")
  if (( \${#candidates} )); then compadd -U -- "\${candidates[@]}"; else _files; fi
}
compdef _walt_complete walt
`;
}
