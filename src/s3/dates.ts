/**
 * Dates of the S3 wire from and to milliseconds since 1970, without the Date object: this room has no clock,
 * and its arithmetic must not depend on a time zone. Civil dates follow the proleptic Gregorian calendar
 * (algorithm after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 *
 * Formatting remembers the last day (and for HTTP dates the last second), since the values of one listing or
 * of one second of traffic share them. Parsing returns undefined for what is no date; it never guesses.
 */

const DAY_MS = 86_400_000;
const DAY_NAMES = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTH_NAMES = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
] as const;
const TWO_DIGITS: readonly string[] = Array.from({ length: 100 }, (_, value) =>
  String(value).padStart(2, "0"),
);

type CivilDate = { readonly year: number; readonly month: number; readonly day: number };

function civilFromDays(days: number): CivilDate {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function daysFromCivil(date: CivilDate): number {
  const year = date.month <= 2 ? date.year - 1 : date.year;
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5) + date.day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function two(value: number): string {
  return TWO_DIGITS[value] ?? "";
}

type DayText = { readonly day: number; readonly iso: string; readonly basic: string; readonly http: string };

function dayText(day: number): DayText {
  const { year, month, day: dayOfMonth } = civilFromDays(day);
  const yyyy = String(year).padStart(4, "0");
  const weekday = DAY_NAMES[(((day + 4) % 7) + 7) % 7] ?? "";
  return {
    day,
    iso: `${yyyy}-${two(month)}-${two(dayOfMonth)}T`,
    basic: `${yyyy}${two(month)}${two(dayOfMonth)}`,
    http: `${weekday}, ${two(dayOfMonth)} ${MONTH_NAMES[month - 1] ?? ""} ${yyyy} `,
  };
}

let lastDay: DayText = dayText(0);

function dayOf(day: number): DayText {
  if (lastDay.day !== day) lastDay = dayText(day);
  return lastDay;
}

function clock(secondOfDay: number): string {
  const hour = Math.floor(secondOfDay / 3600);
  const minute = Math.floor(secondOfDay / 60) % 60;
  return `${two(hour)}:${two(minute)}:${two(secondOfDay % 60)}`;
}

let lastHttpSecond = -1;
let lastHttpText = "";

/** `Wed, 12 Oct 2009 17:50:00 GMT`, whole seconds. */
export function formatHttpDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastHttpSecond) {
    const day = Math.floor(second / 86_400);
    lastHttpText = `${dayOf(day).http}${clock(second - day * 86_400)} GMT`;
    lastHttpSecond = second;
  }
  return lastHttpText;
}

/** `2009-10-12T17:50:30.123Z` */
export function formatIsoDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  const day = Math.floor(second / 86_400);
  const fraction = String(Math.floor(ms) - second * 1000).padStart(3, "0");
  return `${dayOf(day).iso}${clock(second - day * 86_400)}.${fraction}Z`;
}

const MINUTES: readonly string[] = Array.from(
  { length: 24 * 60 },
  (_, minute) => `${two(Math.floor(minute / 60))}:${two(minute % 60)}:`,
);

/** `2009-10-12T17:50:30.000Z`: listings show whole seconds, so that they agree with Last-Modified. */
export function formatIsoSeconds(ms: number): string {
  const second = Math.floor(ms / 1000);
  const day = Math.floor(second / 86_400);
  const secondOfDay = second - day * 86_400;
  const minute = Math.floor(secondOfDay / 60);
  return `${dayOf(day).iso}${MINUTES[minute] ?? ""}${two(secondOfDay - minute * 60)}.000Z`;
}

/** `20130524T000000Z`, the form of x-amz-date. */
export function formatAmzDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  const day = Math.floor(second / 86_400);
  return `${dayOf(day).basic}T${clock(second - day * 86_400).replaceAll(":", "")}Z`;
}

type Fields = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
};

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function toMs(fields: Fields): number | undefined {
  const { year, month, day, hour, minute, second } = fields;
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  // A leap second is counted as the second after it, as POSIX time does.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  return daysFromCivil(fields) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000;
}

const AMZ_DATE = /^\d{8}T\d{6}Z$/;

function amzDateMs(text: string): number | undefined {
  if (text.length !== 16 || !AMZ_DATE.test(text)) return undefined;
  return toMs({
    year: Number(text.slice(0, 4)),
    month: Number(text.slice(4, 6)),
    day: Number(text.slice(6, 8)),
    hour: Number(text.slice(9, 11)),
    minute: Number(text.slice(11, 13)),
    second: Number(text.slice(13, 15)),
  });
}

let lastAmzText = "";
let lastAmzMs: number | undefined;

/** `20130524T000000Z`. All requests of one second carry the same text, so the last one is remembered. */
export function parseAmzDate(text: string): number | undefined {
  if (text !== lastAmzText) {
    lastAmzMs = amzDateMs(text);
    lastAmzText = text;
  }
  return lastAmzMs;
}

const ISO_DATE = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

export function parseIsoDate(text: string): number | undefined {
  const match = ISO_DATE.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const ms = toMs({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  });
  if (ms === undefined || zone === undefined) return undefined;
  const fractionMs = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000);
  if (zone === "Z") return ms + fractionMs;
  const sign = zone.startsWith("-") ? -1 : 1;
  const offset = sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
  return ms + fractionMs - offset * 60_000;
}

const RFC_1123 =
  /^[A-Za-z]{3}, (\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:GMT|UTC|[+-]0000)$/;
const RFC_850 = /^[A-Za-z]{6,9}, (\d{2})-([A-Za-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Za-z]{3} ([A-Za-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

function monthNumber(name: string | undefined): number {
  const wanted = (name ?? "").toLowerCase();
  return MONTH_NAMES.findIndex((month) => month.toLowerCase() === wanted) + 1;
}

function fromNames(parts: readonly (string | undefined)[], year: number): number | undefined {
  const [day, month, hour, minute, second] = parts;
  return toMs({
    year,
    month: monthNumber(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  });
}

/** The three forms that RFC 9110 5.6.7 has every recipient accept; two-digit years as in 1970 to 2069. */
export function parseHttpDate(text: string): number | undefined {
  const modern = RFC_1123.exec(text);
  if (modern !== null) {
    const [, day, month, year, hour, minute, second] = modern;
    return fromNames([day, month, hour, minute, second], Number(year));
  }
  const old = RFC_850.exec(text);
  if (old !== null) {
    const [, day, month, year, hour, minute, second] = old;
    const shortYear = Number(year);
    return fromNames([day, month, hour, minute, second], shortYear + (shortYear < 70 ? 2000 : 1900));
  }
  const ascii = ASCTIME.exec(text);
  if (ascii === null) return undefined;
  const [, month, day, hour, minute, second, year] = ascii;
  return fromNames([day, month, hour, minute, second], Number(year));
}
