# cmake -DOUT=file.c -DFILES="a.yaml;b.yaml" -P embed.cmake: the files as arrays of bytes in C, for
# ready_made.h. Bytes, not string literals: no escaping, no limit on a literal's length.
set(arrays "")
set(entries "")
set(count 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} hex HEX)
  file(SIZE ${file} size)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const char text_${count}[] = {${bytes}0};\n")
  string(APPEND entries "    {\"${name}\", text_${count}, ${size}},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUT} "#include \"ready_made.h\"\n\n${arrays}
const struct ready_made ready_made_all[] = {\n${entries}};
const uint32_t ready_made_count = ${count};\n")
