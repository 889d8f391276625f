/** Completion for fish: a line an option and a command, each under the condition that its command is written. */
import type { CommandEntry, Value } from './command-tree.ts';

export function fishScript(tree: readonly CommandEntry[]): string {
  const groups = tree.filter(({ commands }) => commands.length > 0);
  const paths = tree.slice(1).map(({ path }) => quoted(path.join(' ')));
  return `# fish completion for uplift; made by \`uplift completion fish\`
set -g __uplift_paths ${paths.join(' ')}
# The command that is written so far: as many words as name one.
function __uplift_path
  set -l path
  for word in (commandline -opc)[2..-1]
    contains -- (string join -- ' ' $path $word) $__uplift_paths; or break
    set -a path $word
  end
  string join -- ' ' $path
end
function __uplift_is
  test (__uplift_path | string collect --allow-empty) = "$argv[1]"
end
# Where the gateway or the rig is, as it is written.
function __uplift_values
  set -l words (commandline -opc)
  set -l place
  for at in (seq (count $words))
    switch $words[$at]
      case --rig --socket --api --api-ca --token-file
        set -a place $words[$at] $words[(math $at + 1)]
      case '--rig=*' '--socket=*' '--api=*' '--api-ca=*' '--token-file=*'
        set -a place $words[$at]
    end
  end
  $words[1] completion-values $argv[1] $place 2>/dev/null
end
complete -c uplift -f
${groups.flatMap(commandLines).join('\n')}
${tree.flatMap(optionLines).join('\n')}
${tree.flatMap(argumentLines).join('\n')}
`;
}

function commandLines({ path, commands }: CommandEntry): string[] {
  return commands.map(
    ({ name, description }) =>
      `complete -c uplift -n ${atPath(path)} -a ${name} -d ${quoted(description)}`,
  );
}

function optionLines({ path, options }: CommandEntry): string[] {
  return options.map(({ long, short, description, value }) => {
    const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
    const takes = value ? ` -r ${valueWords(value)}` : '';
    const name = `-l ${long.slice(2)}${letter}`;
    return `complete -c uplift -n ${atPath(path)} ${name}${takes} -d ${quoted(description)}`;
  });
}

function argumentLines({ path, values }: CommandEntry): string[] {
  const [first] = values;
  if (!first || first.kind === 'text') return [];
  return [`complete -c uplift -n ${atPath(path)} ${valueWords(first)}`];
}

function valueWords(value: Value): string {
  switch (value.kind) {
    case 'file':
      return '-F';
    case 'text':
      return '-f';
    case 'choice':
      return `-f -a ${quoted(value.choices.join(' '))}`;
    case 'devices':
    case 'jobs':
      return `-f -a '(__uplift_values ${value.kind})'`;
  }
}

function atPath(path: readonly string[]): string {
  return quoted(`__uplift_is "${path.join(' ')}"`);
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
