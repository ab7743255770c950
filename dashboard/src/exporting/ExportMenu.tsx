import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";

import { type Kind, KINDS } from "./kinds.ts";

interface ExportMenuProps {
  readonly onChoose: (kind: Kind) => void;
  readonly onClose: () => void;
}

/** The files that can be had. It opens as soon as it is there. */
export default function ExportMenu({ onChoose, onClose }: ExportMenuProps) {
  return (
    <MenuTrigger defaultOpen onOpenChange={(open) => (open ? null : onClose())}>
      <Button className="button">
        Export <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu
          aria-label="Export the days shown"
          onAction={(id) => {
            const kind = KINDS.find((each) => each.id === id);
            if (kind !== undefined) onChoose(kind);
          }}
        >
          {KINDS.map((kind) => (
            <MenuItem
              key={kind.id}
              id={kind.id}
              textValue={`${kind.title}, ${kind.note}`}
              aria-label={`${kind.title}, ${kind.note}`}
            >
              <span>{kind.title}</span>
              <span className="soft">{kind.note}</span>
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
