/** MQTT 5 §1.5.4: a string has at most so many bytes of UTF-8. */
export const MAX_STRING_BYTES = 65_535

// §1.5.4 forbids NUL and surrogates and lets a receiver break the connection over control characters and
// noncharacters; Mosquitto does, which would cost all other messages too.
const FORBIDDEN = /\p{Control}|\p{Surrogate}|\p{Noncharacter_Code_Point}/u

/** Whether every broker takes these characters in a topic or property. */
export function isMqttText(text: string): boolean {
  return !FORBIDDEN.test(text)
}
