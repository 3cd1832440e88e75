/**
 * Receives what this package has to say. The shape fits pino and console.
 *
 * No message and no detail ever holds a session context.
 */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
