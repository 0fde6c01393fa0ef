using BenchmarkDotNet.Running;
using Fewbit.Benchmarks;
using Fewbit.Benchmarks.FormatTables;
using Fewbit.Benchmarks.Reconstruction;
using Fewbit.Benchmarks.Results;
using Fewbit.Benchmarks.Training;
using Fewbit.Benchmarks.Transforms;

// Programs that print a table of ratios by themselves; everything else is BenchmarkDotNet's.
var programs = new Dictionary<string, Action>(StringComparer.Ordinal)
{
    ["convolutions"] = () => ConvolutionComparison.Run(args.Length > 1 ? int.Parse(args[1]) : 1, args.Length > 2 ? args[2] : "", Console.Out),
    ["int8-routes"] = () => Int8Routes.Run(Console.Out),
    ["int8-results"] = Int8Results.Run,
    ["gemm-results"] = () => GemmResults.Run(args[1..]),
    ["speed-results"] = () => SpeedResults.Run(args[1..]),
    ["start-child"] = () => StartSection.RunChild(args[1..]),
    ["memory-child"] = () => MemorySection.RunChild(args[1], args[2], args[3], int.Parse(args[4])),
    ["formats"] = () => FormatRun.Run(args[1..]),
    ["calibration-memory"] = CalibrationMemory.Run,
    ["calibration-memory-child"] = () => CalibrationMemory.RunChild(args[1], args[2], int.Parse(args[3])),
    ["equalization"] = () => EqualizationProof.Run(args[1..]),
    ["training-convolutions"] = () => TrainingConvolutions.Run(args.Length > 1 ? int.Parse(args[1]) : 1, args.Length > 2 ? args[2] : "", Console.Out),
    ["reconstruction"] = () => ReconstructionRun.Run(args[1..]),
    ["reconstruction-dropping"] = () => DroppingRun.Run(args[1..]),
    ["reconstruction-speed"] = () => ReconstructionSpeed.Run(args[1..]),
    ["reconstruction-step"] = ReconstructionStep.Run,
    ["training-data"] = () => TrainingData.Run(args[1..]),
    ["training-step"] = () => TrainingStep.Run(args[1..]),
    ["step-parity"] = () => StepParity.Run(args[1..]),
};

if (args.Length > 0 && programs.TryGetValue(args[0], out Action? program)) program();
else BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
