/** Completion for bash: tables of the commands, and one function that reads the words up to the cursor. */
import type { CommandEntry, Value } from './command-tree.ts';

export function bashScript(tree: readonly CommandEntry[]): string {
  return `# bash completion for uplift; made by \`uplift completion bash\`
_uplift() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path=uplift at word before= values= several=
  # --option=value comes in three words.
  local last=$((COMP_CWORD - 1))
  if [[ $cur == = ]]; then cur=; elif [[ \${COMP_WORDS[last]} == = ]]; then last=$((last - 1)); fi
  for ((at = 1; at <= last; at++)); do
    word=\${COMP_WORDS[at]}
    case "$path $word" in
${caseOf(pathsOf(tree))}) path="$path $word" ;;
    *) break ;;
    esac
  done
  local -a place=()
  for ((; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
    --rig | --socket | --api | --api-ca | --token-file)
      if [[ \${COMP_WORDS[at + 1]} == = ]]; then place+=("\${COMP_WORDS[at]}" "\${COMP_WORDS[at + 2]}")
      else place+=("\${COMP_WORDS[at]}" "\${COMP_WORDS[at + 1]}"); fi ;;
    esac
  done
  # The option that the word belongs to: the one before it, or one before that which takes several.
  for ((at = last; at > 0; at--)); do
    word=\${COMP_WORDS[at]}
    [[ $word == -* ]] && break
  done
  if [[ $cur != -* && $word == -* ]]; then
    case "$path $word" in
${valueCases(tree)}
    esac
    if [[ $at -ne $last && -z $several ]]; then values=; fi
  fi
  if [[ -z $values ]]; then
    case $path in
${commandCases(tree)}
    esac
  fi
  case $values in
  file)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
  text) COMPREPLY=() ;;
  devices | jobs)
    mapfile -t COMPREPLY < <(compgen -W "$("\${COMP_WORDS[0]}" completion-values "$values" "\${place[@]}" 2>/dev/null)" -- "$cur") ;;
  *) mapfile -t COMPREPLY < <(compgen -W "\${values#words }" -- "$cur") ;;
  esac
}
complete -F _uplift uplift
`;
}

function pathsOf(tree: readonly CommandEntry[]): string[] {
  return tree.slice(1).map(({ path }) => wordsOf(path));
}

function valueCases(tree: readonly CommandEntry[]): string {
  const byValue = new Map<string, string[]>();
  for (const { path, options } of tree) {
    for (const { long, value, takesSeveral } of options) {
      if (!value) continue;
      const told = `values=${quoted(valueText(value))}${takesSeveral ? ' several=yes' : ''}`;
      byValue.set(told, [...(byValue.get(told) ?? []), `${wordsOf(path)} ${long}`]);
    }
  }
  return [...byValue].map(([told, words]) => `${caseOf(words)}) ${told} ;;`).join('\n');
}

/** Beneath a command: commands, else options where the word begins as one, else what its argument is. */
function commandCases(tree: readonly CommandEntry[]): string {
  return tree
    .map(({ path, commands, options, values }) => {
      const names = commands.map(({ name }) => name);
      const longs = options.map(({ long }) => long);
      const [first] = values;
      const plain = `words ${[...names, ...(first ? [] : longs)].join(' ')}`;
      const bare = first ? valueText(first) : plain;
      const dashed = `words ${longs.join(' ')}`;
      return (
        `    ${quoted(wordsOf(path))}) ` +
        `if [[ $cur == -* ]]; then values=${quoted(dashed)}; else values=${quoted(bare)}; fi ;;`
      );
    })
    .join('\n');
}

function valueText(value: Value): string {
  return value.kind === 'choice' ? `words ${value.choices.join(' ')}` : value.kind;
}

function wordsOf(path: readonly string[]): string {
  return ['uplift', ...path].join(' ');
}

function caseOf(words: readonly string[]): string {
  return `    ${words.map(quoted).join(' | ')}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
