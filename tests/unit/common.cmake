foreach(name hist http_upgrade pool spsc timer wire ws)
  sealpost_unit_test(${name} sealpost_common)
endforeach()
