module example.test/plain

go 1.23

require example.test/other v1.0.0

replace example.test/other v1.0.0 => example.test/fork v1.5.0
