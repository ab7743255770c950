import { useState } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover, Separator } from "react-aria-components";

import { CustomRange } from "./CustomRange.tsx";
import { label } from "./label.ts";
import { PRESETS, type Range } from "./range.ts";

interface RangeMenuProps {
  readonly range: Range;
  readonly onChange: (range: Range) => void;
}

const CUSTOM = "custom";

/** The presets, and a way to choose any days. It opens as soon as it is there. */
export default function RangeMenu({ range, onChange }: RangeMenuProps) {
  const [open, setOpen] = useState(true);
  const [custom, setCustom] = useState(false);

  function choose(key: string): void {
    if (key === CUSTOM) setCustom(true);
    const preset = PRESETS.find(([name]) => name === key)?.[0];
    if (preset !== undefined) onChange({ preset });
  }

  return (
    <>
      <MenuTrigger isOpen={open} onOpenChange={setOpen}>
        <Button className="button">
          {label(range)} <span aria-hidden="true">▾</span>
        </Button>
        <Popover className="popover" placement="bottom end">
          <Menu
            aria-label="Range, in UTC"
            selectionMode="single"
            selectedKeys={["preset" in range ? range.preset : CUSTOM]}
            onAction={(key) => choose(String(key))}
          >
            {PRESETS.map(([name, title]) => (
              <MenuItem key={name} id={name} textValue={title}>
                {({ isSelected }) => (
                  <>
                    {title}
                    <span aria-hidden="true">{isSelected ? "✓" : ""}</span>
                  </>
                )}
              </MenuItem>
            ))}
            <Separator />
            <MenuItem id={CUSTOM} textValue="Custom">
              Custom…
            </MenuItem>
          </Menu>
        </Popover>
      </MenuTrigger>
      {custom ? <CustomRange range={range} onChange={onChange} onClose={() => setCustom(false)} /> : null}
    </>
  );
}
