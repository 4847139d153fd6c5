;; The field lines of a head, 16 bytes at a time. `field-scan-code.ts` holds what wabt makes of this; a test compares them.
;;
;; The memory, as field-scan.ts lays it out (offsets are in the instructions, so that an address is one in the read buffer):
;;
;;     0     what may stand in a name: by the lower four bits of a byte, a bit for each upper three
;;     16    that bit, by the upper four
;;     128   of each field number in a request: 1 if it is dropped, and 2 if it is to be looked at
;;     192   the same in a response
;;     256   for each field number the next with the same length and first letter
;;     1024  the first of them, by length and letter
;;     2048  names, 32 bytes each, lower case, then zeros
;;     32768 the read buffer, with at least 64 bytes behind it that may be read and mean nothing
;;
;; A room, where the fields of a head go: five arrays of 256 words (name, its end, value, its end, end of the line), then three
;; of 256 bytes (field number, drop, the indices of those to look at).
(module
  (memory (import "scan" "memory") 2 2)

  ;; Reads from $at up to the empty line. The answer is how many fields there are, and above 16 bits how many to look at; or -1 if this
  ;; is not, before $stop, a whole section of at most $most fields of which nothing at all need be said. $flags: the table of this side.
  (func (export "lines") (param $at i32) (param $stop i32) (param $room i32) (param $most i32) (param $flags i32) (result i32)
    (local $count i32) (local $looks i32)
    (local $name i32) (local $colon i32) (local $value i32) (local $last i32)
    (local $mask i32) (local $byte i32) (local $length i32) (local $id i32) (local $word i32)
    (local $bytes v128) (local $lower v128) (local $upper v128) (local $four v128)
    (local $controls v128) (local $del v128) (local $case v128) (local $none v128)
    (local.set $lower (v128.load (i32.const 0)))
    (local.set $upper (v128.load (i32.const 16)))
    (local.set $four (i8x16.splat (i32.const 15)))
    (local.set $controls (i8x16.splat (i32.const 31)))
    (local.set $del (i8x16.splat (i32.const 127)))
    (local.set $case (i8x16.splat (i32.const 32)))
    (if (i32.gt_u (local.get $most) (i32.const 256)) (then (local.set $most (i32.const 256))))

    (block $refused
      (block $empty
        (loop $line
          ;; Name: up to the first byte that may not be in one
          (local.set $name (local.get $at))
          (local.set $colon (local.get $at))
          (local.set $bytes (v128.load offset=32768 (local.get $at)))
          (block $named
            (loop $more
              (br_if $named
                (local.tee $mask
                  (i8x16.bitmask
                    (i8x16.eq
                      (v128.and
                        (i8x16.relaxed_swizzle (local.get $lower) (v128.and (local.get $bytes) (local.get $four)))
                        (i8x16.relaxed_swizzle
                          (local.get $upper)
                          (v128.and (i16x8.shr_u (local.get $bytes) (i32.const 4)) (local.get $four))))
                      (local.get $none)))))
              (local.set $bytes
                (v128.load offset=32768 (local.tee $colon (i32.add (local.get $colon) (i32.const 16)))))
              (br_if $more (i32.lt_u (local.get $colon) (local.get $stop))))
            (br $refused))
          (local.set $colon (i32.add (local.get $colon) (i32.ctz (local.get $mask))))
          (br_if $empty (i32.eq (local.get $colon) (local.get $name)))
          (br_if $refused (i32.ne (i32.load8_u offset=32768 (local.get $colon)) (i32.const 58)))
          (br_if $refused (i32.ge_u (local.get $count) (local.get $most)))

          ;; Line: up to the first control character that is no tab. Before the colon is none.
          (block $ended
            (loop $more
              (local.set $bytes (v128.load offset=32768 (local.get $at)))
              (local.set $mask
                (i8x16.bitmask
                  (v128.or
                    (i8x16.eq (i8x16.min_u (local.get $bytes) (local.get $controls)) (local.get $bytes))
                    (i8x16.eq (local.get $bytes) (local.get $del)))))
              (if (local.get $mask)
                (then
                  (loop $stops
                    (local.set $last (i32.add (local.get $at) (i32.ctz (local.get $mask))))
                    (local.set $byte (i32.load8_u offset=32768 (local.get $last)))
                    (br_if $ended (i32.eq (local.get $byte) (i32.const 13)))
                    (br_if $refused (i32.ne (local.get $byte) (i32.const 9)))
                    (br_if $stops
                      (local.tee $mask (i32.and (local.get $mask) (i32.sub (local.get $mask) (i32.const 1))))))))
              (br_if $more
                (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $stop))))
            (br $refused))
          (local.set $at (i32.add (local.get $last) (i32.const 2)))
          (br_if $refused (i32.ne (i32.load8_u offset=32769 (local.get $last)) (i32.const 10)))
          ;; The empty line is to come; and no further than this is read.
          (br_if $refused (i32.ge_u (local.get $at) (local.get $stop)))

          ;; Value: without the blanks around it; the CR ends the first loop
          (local.set $value (local.get $colon))
          (loop $blanks
            (local.set $byte
              (i32.load8_u offset=32768 (local.tee $value (i32.add (local.get $value) (i32.const 1)))))
            (br_if $blanks (i32.eq (local.get $byte) (i32.const 32)))
            (br_if $blanks (i32.eq (local.get $byte) (i32.const 9))))
          (block $trimmed
            (loop $blanks
              (br_if $trimmed (i32.eq (local.get $last) (local.get $value)))
              (local.set $byte (i32.load8_u offset=32767 (local.get $last)))
              (if (i32.ne (local.get $byte) (i32.const 32))
                (then (br_if $trimmed (i32.ne (local.get $byte) (i32.const 9)))))
              (local.set $last (i32.sub (local.get $last) (i32.const 1)))
              (br $blanks)))

          ;; Number: a name that differs in none of its bytes
          (local.set $id (i32.const 0))
          (local.set $length (i32.sub (local.get $colon) (local.get $name)))
          (if (i32.lt_u (local.get $length) (i32.const 32))
            (then
              (local.set $id
                (i32.load8_u offset=1024
                  (i32.or
                    (i32.shl (local.get $length) (i32.const 5))
                    (i32.and (i32.load8_u offset=32768 (local.get $name)) (i32.const 31)))))
              (block $found
                (loop $next
                  (br_if $found (i32.eqz (local.get $id)))
                  (local.set $word (i32.shl (local.get $id) (i32.const 5)))
                  (local.set $mask
                    (i8x16.bitmask
                      (i8x16.eq
                        (v128.or (v128.load offset=32768 (local.get $name)) (local.get $case))
                        (v128.load offset=2048 (local.get $word)))))
                  (if (i32.gt_u (local.get $length) (i32.const 16))
                    (then
                      (local.set $mask
                        (i32.or
                          (local.get $mask)
                          (i32.shl
                            (i8x16.bitmask
                              (i8x16.eq
                                (v128.or (v128.load offset=32784 (local.get $name)) (local.get $case))
                                (v128.load offset=2064 (local.get $word))))
                            (i32.const 16))))))
                  (br_if $found
                    (i32.eqz
                      (i32.shl
                        (i32.xor (local.get $mask) (i32.const -1))
                        (i32.sub (i32.const 32) (local.get $length)))))
                  (local.set $id (i32.load8_u offset=256 (local.get $id)))
                  (br $next)))))

          (local.set $word (i32.add (local.get $room) (i32.shl (local.get $count) (i32.const 2))))
          (i32.store (local.get $word) (local.get $name))
          (i32.store offset=1024 (local.get $word) (local.get $colon))
          (i32.store offset=2048 (local.get $word) (local.get $value))
          (i32.store offset=3072 (local.get $word) (local.get $last))
          (i32.store offset=4096 (local.get $word) (local.get $at))
          (local.set $word (i32.add (local.get $room) (local.get $count)))
          (i32.store8 offset=5120 (local.get $word) (local.get $id))
          (local.set $id (i32.load8_u (i32.add (local.get $flags) (local.get $id))))
          (i32.store8 offset=5376 (local.get $word) (i32.and (local.get $id) (i32.const 1)))
          (i32.store8 offset=5632 (i32.add (local.get $room) (local.get $looks)) (local.get $count))
          (local.set $looks (i32.add (local.get $looks) (i32.shr_u (local.get $id) (i32.const 1))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (br $line)))

      ;; No name: the empty line, or nothing that is plainly right
      (br_if $refused (i32.ne (i32.load16_u offset=32768 (local.get $at)) (i32.const 0x0A0D)))
      (br_if $refused (i32.gt_u (i32.add (local.get $at) (i32.const 2)) (local.get $stop)))
      (return (i32.or (local.get $count) (i32.shl (local.get $looks) (i32.const 16)))))
    (i32.const -1)))
