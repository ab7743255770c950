import { type CalendarDate, parseDate, today } from "@internationalized/date";
import { useState } from "react";
import {
  Button,
  CalendarCell,
  CalendarGrid,
  CalendarGridBody,
  CalendarGridHeader,
  CalendarHeaderCell,
  DateInput,
  DateRangePicker,
  DateSegment,
  Dialog,
  FieldError,
  Group,
  Heading,
  I18nProvider,
  Label,
  Modal,
  ModalOverlay,
  RangeCalendar,
} from "react-aria-components";

import { days, MAX_DAYS, type Range } from "./range.ts";

interface CustomRangeProps {
  readonly range: Range;
  readonly onChange: (range: Range) => void;
  readonly onClose: () => void;
}

interface Days {
  readonly start: CalendarDate;
  readonly end: CalendarDate;
}

function chosen(range: Range): Days {
  const now = today("UTC");
  if ("preset" in range) return { start: now.subtract({ days: 29 }), end: now };
  return { start: parseDate(range.start), end: parseDate(range.end) };
}

/** Any two days: typed, or taken from a calendar. */
export function CustomRange({ range, onChange, onClose }: CustomRangeProps) {
  const [value, setValue] = useState<Days | null>(() => chosen(range));
  const length = value === null ? 0 : days(value.start.toString(), value.end.toString());
  const tooLong = length > MAX_DAYS;
  const usable = length >= 1 && !tooLong;

  return (
    <ModalOverlay className="overlay" isOpen isDismissable onOpenChange={(open) => (open ? null : onClose())}>
      <Modal className="dialog">
        <Dialog>
          <Heading slot="title">Which days, in UTC</Heading>
          <I18nProvider locale="en-GB">
            <DateRangePicker value={value} onChange={setValue} maxValue={today("UTC")} isInvalid={!usable}>
              <Label>First and last day</Label>
              <Group className="date-group">
                <DateInput slot="start" className="date-input">
                  {(segment) => <DateSegment segment={segment} />}
                </DateInput>
                <span aria-hidden="true">–</span>
                <DateInput slot="end" className="date-input">
                  {(segment) => <DateSegment segment={segment} />}
                </DateInput>
              </Group>
              <FieldError>
                {tooLong ? `At most ${MAX_DAYS} days, and these are ${length}.` : "The first day has to be before the last, and neither in the future."}
              </FieldError>
            </DateRangePicker>
            <RangeCalendar
              className="calendar"
              aria-label="First and last day"
              value={value}
              onChange={setValue}
              maxValue={today("UTC")}
              defaultFocusedValue={value?.end ?? today("UTC")}
            >
              <header>
                <Button slot="previous" className="button quiet" aria-label="Previous month">
                  ‹
                </Button>
                <Heading level={3} />
                <Button slot="next" className="button quiet" aria-label="Next month">
                  ›
                </Button>
              </header>
              <CalendarGrid weekdayStyle="short">
                <CalendarGridHeader>{(day) => <CalendarHeaderCell>{day}</CalendarHeaderCell>}</CalendarGridHeader>
                <CalendarGridBody>{(date) => <CalendarCell date={date} />}</CalendarGridBody>
              </CalendarGrid>
            </RangeCalendar>
          </I18nProvider>
          <div className="dialog-buttons">
            <Button className="button" onPress={onClose}>
              Cancel
            </Button>
            <Button
              className="button primary"
              isDisabled={!usable}
              onPress={() => {
                if (value !== null) onChange({ start: value.start.toString(), end: value.end.toString() });
                onClose();
              }}
            >
              Show these days
            </Button>
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
