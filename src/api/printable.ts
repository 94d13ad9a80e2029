/** Text of a recording must not reach a terminal as it is: labels and names of others may hold control characters. */

/** The same text with a question mark for each control character; line ends stay. */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "?");
