module example.test/single

go 1.23

require example.test/absolute v1.0.0

require example.test/upper v0.9.0

replace example.test/absolute => /somewhere/else

replace example.test/upper => ../upper
