/** Why a recording cannot be read, or not to its end. */
export const RECORDING_REFUSALS = {
  'recording-foreign': 'The file is no recording.',
  'recording-version': 'The recording has a version that this program does not know.',
  'recording-headless': 'The recording has no header, or one that cannot be read.',
  'recording-cut-off': 'The recording ends inside a record: whoever wrote it was cut off there.',
  'recording-damaged': 'A record is damaged: its check value is not that of its bytes.',
  'recording-record-unknown': 'A record is whole and makes no sense.',
  'recording-too-large': 'The recording is larger than is read.',
} as const;

export type RecordingRefusalCode = keyof typeof RECORDING_REFUSALS;

/** Where it stopped being a recording: what is before that is good. */
export interface RecordingDamage {
  code: RecordingRefusalCode;
  /** Of the first byte that is not believed. */
  offset: number;
}
