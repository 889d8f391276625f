/** Completion for zsh: a function a command, in the form of its own _arguments. */
import type { CommandEntry, OptionEntry, Value } from './command-tree.ts';

export function zshScript(tree: readonly CommandEntry[]): string {
  return `#compdef uplift
# zsh completion for uplift; made by \`uplift completion zsh\`
_uplift_values() {
  local -a place found
  local at
  for ((at = 1; at < $#words; at++)); do
    case $words[at] in
    --rig | --socket | --api | --api-ca | --token-file) place+=($words[at] $words[at+1]) ;;
    --rig=* | --socket=* | --api=* | --api-ca=* | --token-file=*) place+=($words[at]) ;;
    esac
  done
  found=(\${(f)"$(_call_program values uplift completion-values $1 \${(q)place} 2>/dev/null)"})
  compadd -a found
}
${tree.map(functionOf).join('')}
if [[ $funcstack[1] == _uplift ]]; then _uplift "$@"; else compdef _uplift uplift; fi
`;
}

function functionOf({ path, options, values, commands }: CommandEntry): string {
  const specs = options.map(optionSpec);
  if (commands.length === 0) {
    const last = values.length - 1;
    const places = values.map((value, at) => quoted(`${at + 1}:value:${actionOf(value)}`));
    const lines = [...specs, ...(last < 0 ? [] : places)].map((spec) => ` \\\n    ${spec}`);
    return `${nameOf(path)}() {\n  _arguments -s -S${lines.join('')}\n}\n`;
  }
  const described = commands.map((one) => quoted(`${one.name}:${one.description}`));
  const branches = commands.map(({ name }) => `      ${name}) ${nameOf([...path, name])} ;;`);
  return `${nameOf(path)}() {
  local curcontext=$curcontext state line
  local -a commands
  commands=(
    ${described.join('\n    ')}
  )
  _arguments -C${specs.map((spec) => ` \\\n    ${spec}`).join('')} \\
    '1: :->command' '*:: :->rest'
  case $state in
  command) _describe -t commands 'uplift command' commands ;;
  rest)
    case $words[1] in
${branches.join('\n')}
    esac ;;
  esac
}
`;
}

function optionSpec({ long, description, value, takesSeveral }: OptionEntry): string {
  const said = description.replace(/[[\]:\\]/g, (character) => `\\${character}`);
  const many = takesSeveral ? '*' : '';
  // Words may follow one option until the next; each is completed as the first is.
  const action = value ? `:value:${actionOf(value)}` : '';
  return quoted(`${many}${long}[${said}]${action}`);
}

function actionOf(value: Value): string {
  switch (value.kind) {
    case 'file':
      return '_files';
    case 'devices':
    case 'jobs':
      return `{_uplift_values ${value.kind}}`;
    case 'choice':
      return `(${value.choices.join(' ')})`;
    case 'text':
      return ' ';
  }
}

function nameOf(path: readonly string[]): string {
  return ['_uplift', ...path].join('_').replaceAll('-', '_');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
