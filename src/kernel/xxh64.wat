;; XXH64 (xxHash specification 0.1.1), whose steps are named below. `xxh64-code.ts` holds what wabt makes of this; a test
;; compares them. The key is in the memory from byte 0 on, at most 32 KiB of it at a time; the hash is left at byte 65528.
(module
  (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
  (import "wasm:js-string" "charCodeAt" (func $character (param externref i32) (result i32)))
  (memory (import "key" "memory") 1)
  ;; The four accumulators of long keys.
  (global $v1 (mut i64) (i64.const 0))
  (global $v2 (mut i64) (i64.const 0))
  (global $v3 (mut i64) (i64.const 0))
  (global $v4 (mut i64) (i64.const 0))

  (func $round (param $acc i64) (param $lane i64) (result i64)
    (i64.mul
      (i64.rotl (i64.add (local.get $acc) (i64.mul (local.get $lane) (i64.const 0xC2B2AE3D27D4EB4F))) (i64.const 31))
      (i64.const 0x9E3779B185EBCA87)))

  (func $merge (param $h i64) (param $v i64) (result i64)
    (i64.add
      (i64.mul (i64.xor (local.get $h) (call $round (i64.const 0) (local.get $v))) (i64.const 0x9E3779B185EBCA87))
      (i64.const 0x85EBCA77C2B2AE63)))

  ;; Eight bytes, four at a time, as key-bytes.ts writes them: a load that spans two stores waits until both are in the cache, and so for
  ;; all that came before them, such as the memory that the key before is looked up in.
  (func $lane (param $at i32) (result i64)
    (i64.or
      (i64.load32_u (local.get $at))
      (i64.shl (i64.load32_u offset=4 (local.get $at)) (i64.const 32))))

  ;; Step 1: begins a key of 32 bytes or more.
  (func $start (export "start") (param $high i32) (param $low i32)
    (local $seed i64)
    (local.set $seed
      (i64.or (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)) (i64.extend_i32_u (local.get $low))))
    (global.set $v1 (i64.add (local.get $seed) (i64.const 0x60EA27EEADC0B5D6))) ;; P1 + P2
    (global.set $v2 (i64.add (local.get $seed) (i64.const 0xC2B2AE3D27D4EB4F)))
    (global.set $v3 (local.get $seed))
    (global.set $v4 (i64.sub (local.get $seed) (i64.const 0x9E3779B185EBCA87))))

  ;; Step 2: takes in whole stripes of 32 bytes, up to byte $end.
  (func $stripes (export "stripes") (param $end i32)
    (local $at i32) (local $v1 i64) (local $v2 i64) (local $v3 i64) (local $v4 i64)
    (if (i32.eqz (local.get $end)) (then (return)))
    (local.set $v1 (global.get $v1))
    (local.set $v2 (global.get $v2))
    (local.set $v3 (global.get $v3))
    (local.set $v4 (global.get $v4))
    (loop $stripe
      (local.set $v1 (call $round (local.get $v1) (call $lane (local.get $at))))
      (local.set $v2 (call $round (local.get $v2) (call $lane (i32.add (local.get $at) (i32.const 8)))))
      (local.set $v3 (call $round (local.get $v3) (call $lane (i32.add (local.get $at) (i32.const 16)))))
      (local.set $v4 (call $round (local.get $v4) (call $lane (i32.add (local.get $at) (i32.const 24)))))
      (br_if $stripe (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 32))) (local.get $end))))
    (global.set $v1 (local.get $v1))
    (global.set $v2 (local.get $v2))
    (global.set $v3 (local.get $v3))
    (global.set $v4 (local.get $v4)))

  ;; Steps 3 and 4: the accumulators, the length of the whole key. The bytes from $at to $end are left.
  (func $finish (export "finish") (param $at i32) (param $end i32) (param $length f64)
    (local $h i64)
    (local.set $h
      (i64.add
        (i64.add (i64.rotl (global.get $v1) (i64.const 1)) (i64.rotl (global.get $v2) (i64.const 7)))
        (i64.add (i64.rotl (global.get $v3) (i64.const 12)) (i64.rotl (global.get $v4) (i64.const 18)))))
    (local.set $h (call $merge (local.get $h) (global.get $v1)))
    (local.set $h (call $merge (local.get $h) (global.get $v2)))
    (local.set $h (call $merge (local.get $h) (global.get $v3)))
    (local.set $h (call $merge (local.get $h) (global.get $v4)))
    (call $rest (i64.add (local.get $h) (i64.trunc_f64_u (local.get $length))) (local.get $at) (local.get $end)))

  ;; Steps 5 and 6: the bytes from $at to $end, the avalanche.
  (func $rest (param $h i64) (param $at i32) (param $end i32)
    (block $eightsDone
      (loop $eights
        (br_if $eightsDone (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $end)))
        (local.set $h
          (i64.add
            (i64.mul
              (i64.rotl
                (i64.xor (local.get $h) (call $round (i64.const 0) (call $lane (local.get $at))))
                (i64.const 27))
              (i64.const 0x9E3779B185EBCA87))
            (i64.const 0x85EBCA77C2B2AE63)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $eights)))
    (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end))
      (then
        (local.set $h
          (i64.add
            (i64.mul
              (i64.rotl
                (i64.xor
                  (local.get $h)
                  (i64.mul (i64.load32_u (local.get $at)) (i64.const 0x9E3779B185EBCA87)))
                (i64.const 23))
              (i64.const 0xC2B2AE3D27D4EB4F))
            (i64.const 0x165667B19E3779F9)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))))
    (block $onesDone
      (loop $ones
        (br_if $onesDone (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $h
          (i64.mul
            (i64.rotl
              (i64.xor
                (local.get $h)
                (i64.mul (i64.load8_u (local.get $at)) (i64.const 0x27D4EB2F165667C5)))
              (i64.const 11))
            (i64.const 0x9E3779B185EBCA87)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $ones)))
    (local.set $h
      (i64.mul (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 33))) (i64.const 0xC2B2AE3D27D4EB4F)))
    (local.set $h
      (i64.mul (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 29))) (i64.const 0x165667B19E3779F9)))
    (i64.store (i32.const 65528) (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 32)))))

  ;; A key that is in the memory whole. One of less than 32 bytes has no stripes and needs no accumulators.
  (func $hash (export "hash") (param $length i32) (param $high i32) (param $low i32)
    (local $stripes i32)
    (if (i32.lt_u (local.get $length) (i32.const 32))
      (then
        (call $rest
          (i64.add
            (i64.or (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)) (i64.extend_i32_u (local.get $low)))
            (i64.add (i64.extend_i32_u (local.get $length)) (i64.const 0x27D4EB2F165667C5)))
          (i32.const 0)
          (local.get $length))
        (return)))
    (call $start (local.get $high) (local.get $low))
    (local.set $stripes (i32.and (local.get $length) (i32.const -32)))
    (call $stripes (local.get $stripes))
    (call $finish (local.get $stripes) (local.get $length) (f64.convert_i32_u (local.get $length))))

  ;; Four characters as four bytes, and all their bits: if one is above 127 they are not bytes.
  (func $letters (param $text externref) (param $at i32) (result i32 i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (local.set $a (call $character (local.get $text) (local.get $at)))
    (local.set $b (call $character (local.get $text) (i32.add (local.get $at) (i32.const 1))))
    (local.set $c (call $character (local.get $text) (i32.add (local.get $at) (i32.const 2))))
    (local.set $d (call $character (local.get $text) (i32.add (local.get $at) (i32.const 3))))
    (i32.or
      (i32.or (local.get $a) (i32.shl (local.get $b) (i32.const 8)))
      (i32.or (i32.shl (local.get $c) (i32.const 16)) (i32.shl (local.get $d) (i32.const 24))))
    (i32.or (i32.or (local.get $a) (local.get $b)) (i32.or (local.get $c) (local.get $d))))

  ;; A text of at most $most characters; 0 if it has more, or others than ASCII, and so is not hashed. The first character is read before
  ;; the loops, so that what kind of string it is, is looked up once.
  (func (export "text") (param $text externref) (param $most i32) (param $high i32) (param $low i32) (result i32)
    (local $length i32) (local $at i32) (local $all i32)
    (local.set $length (call $length (local.get $text)))
    (if (i32.gt_u (local.get $length) (local.get $most)) (then (return (i32.const 0))))
    (if (local.get $length)
      (then
        (local.set $all (call $character (local.get $text) (i32.const 0)))
        (block $foursDone
          (loop $fours
            (br_if $foursDone (i32.gt_u (i32.add (local.get $at) (i32.const 4)) (local.get $length)))
            (local.get $at)
            (call $letters (local.get $text) (local.get $at))
            (local.set $all (i32.or (local.get $all)))
            (i32.store)
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br $fours)))
        (block $onesDone
          (loop $ones
            (br_if $onesDone (i32.ge_u (local.get $at) (local.get $length)))
            (i32.store8 (local.get $at) (call $character (local.get $text) (local.get $at)))
            (local.set $all (i32.or (local.get $all) (call $character (local.get $text) (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $ones)))
        (if (i32.gt_u (local.get $all) (i32.const 127)) (then (return (i32.const 0))))))
    (call $hash (local.get $length) (local.get $high) (local.get $low))
    (i32.const 1)))
