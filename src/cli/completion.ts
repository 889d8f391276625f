/** `uplift completion SHELL`: the script that makes a shell complete the words of `uplift`. */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../errors.ts';
import { commandTree } from './command-tree.ts';
import { bashScript } from './completion-bash.ts';
import { fishScript } from './completion-fish.ts';
import type { Shell } from './completion-kinds.ts';
import { zshScript } from './completion-zsh.ts';
import type { Output } from './output.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export function completion(shell: Shell, program: Command, output: Output): ExitCode {
  const script = SCRIPTS[shell](commandTree(program));
  output.result({ shell, script }, [script.trimEnd()]);
  return EXIT.done;
}
