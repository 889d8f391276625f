/** Commands as pages write them, held against the tree of commands: a word or an option that is not there. */
import type { Command } from 'commander';

const ALWAYS = ['--help', '--version'];

/** Each `uplift ...` of a line of shell. */
export function upliftCommands(line: string): string[][] {
  const bare = line
    .replaceAll('\\|', '|')
    .replace(/\\\n\s*/g, ' ')
    .replace(/\s#\s.*$/gm, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/<[^<>\s]+>/g, 'VALUE')
    .replace(/'[^']*'|"[^"]*"/g, 'VALUE');
  return bare
    .split(/&&|\|\||\$\(|[;&<>()\n]|\s\|\s|\bdo\b/)
    .map((part) => part.trim().split(/\s+/))
    .flatMap((words) => {
      const at = words.findIndex((word) => /^(?:\.\/scripts\/)?uplift$/.test(word));
      const isCommand =
        at >= 0 &&
        words
          .slice(0, at)
          .every((word) => /^[\w]+=|^until$|^while$|^if$|^!$|^sudo$|^\$$/.test(word));
      return isCommand ? [words.slice(at + 1)] : [];
    });
}

/** @returns what is wrong with it; undefined where nothing is */
export function faultOf(words: readonly string[], program: Command): string | undefined {
  let commands = [program];
  let isOver = false;
  for (const word of words) {
    if (/^(\.\.\.|…)$/.test(word)) return undefined;
    if (word.startsWith('--')) {
      const [name] = word.split('=');
      if (!commands.some((command) => hasOption(command, name!))) {
        return `${commands.map((command) => command.name()).join('|')} has no option ${name}`;
      }
      isOver = true;
    } else if (!isOver) {
      const names = word.split('|').filter((name) => name !== '...');
      const inside = commands.flatMap((command) => command.commands);
      if (inside.length === 0) isOver = true;
      else {
        const found = names.map((name) => inside.find((command) => command.name() === name));
        const missing = names.filter((_, at) => found[at] === undefined);
        if (missing.length > 0) return `there is no command ${missing.join(', ')}`;
        commands = found as Command[];
      }
    }
  }
  return undefined;
}

function hasOption(command: Command, name: string): boolean {
  return ALWAYS.includes(name) || command.options.some(({ long }) => long === name);
}
