/** Why a supply or a button could not be switched: every code of the folder, with what to do. */
import { EXIT, UpliftError } from '../../errors.ts';

export const POWER_FAILURES = {
  'power-tool-missing': {
    sentence: 'the program that switches is not installed, or may not be run',
    next: 'install it, or name it by its path in the rig file',
  },
  'power-tool-failed': {
    sentence: 'the program that switches ended with a failure',
    next: 'run it by hand with the same words and see what it says',
  },
  'power-timeout': {
    sentence: 'there was no answer in time',
    next: 'check the relay, its supply and its network; a slow one needs a longer timeoutMs',
  },
  'power-unreachable': {
    sentence: 'the relay cannot be reached',
    next: 'check its address in the rig file, its supply and its network',
  },
  'power-refused': {
    sentence: 'the relay answered that it will not',
    next: 'check unit, coil, channel or address in the rig file, and the rights it asks for',
  },
  'power-answer-wrong': {
    sentence: 'the answer makes no sense',
    next: 'check that the rig file names the right kind of relay',
  },
  'power-not-switched': {
    sentence: 'it was switched and reads back as it was before',
    next: 'check the wiring, and that nobody else switches the same relay',
  },
  'power-virtual-elsewhere': {
    sentence: 'the device is made of software that does not run in this program',
    next: 'have the lab run the virtual rig itself, instead of `uplift rig up`',
  },
} as const;

export type PowerFailureCode = keyof typeof POWER_FAILURES;

/** `what` names the switch: `gpio gpiochip0 line 17`. */
export function powerFailure(
  code: PowerFailureCode,
  what: string,
  actual: string,
  cause?: unknown,
): UpliftError {
  const { sentence, next } = POWER_FAILURES[code];
  return new UpliftError(code, `${what}: ${sentence}`, {
    expected: 'a supply that can be switched',
    actual,
    next,
    exit: EXIT.notReachable,
    cause,
  });
}
