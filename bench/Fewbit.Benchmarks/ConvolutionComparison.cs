using System.Diagnostics;
using System.Runtime.InteropServices;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks;

/// <summary>Single convolutions of known networks: our routes and ONNX Runtime on a model of one Conv, turn about in one run. Prints a Markdown table.</summary>
/// <remarks>The time of a route is its shortest of all rounds (other work on the machine only adds); the ratio is that of the shortest times.</remarks>
internal static unsafe class ConvolutionComparison
{
    private const int Rounds = 7;
    private const int MoreCopies = 4;
    private const double WorkPerRound = 3e8; // multiply-adds: some milliseconds

    private static readonly (string Name, Conv2DShape Shape)[] Shapes =
    [
        ("ResNet 3x3, 64 at 56", Conv2DShape.Square(1, 64, 56, 64, 3, pad: 1)),
        ("ResNet 3x3, 128 at 28", Conv2DShape.Square(1, 128, 28, 128, 3, pad: 1)),
        ("ResNet 3x3, 256 at 14", Conv2DShape.Square(1, 256, 14, 256, 3, pad: 1)),
        ("ResNet 3x3, 512 at 7", Conv2DShape.Square(1, 512, 7, 512, 3, pad: 1)),
        ("ResNet 3x3 stride 2, 64-128 at 56", Conv2DShape.Square(1, 64, 56, 128, 3, stride: 2, pad: 1)),
        ("ResNet 3x3 stride 2, 256-512 at 14", Conv2DShape.Square(1, 256, 14, 512, 3, stride: 2, pad: 1)),
        ("ResNet 1x1 stride 2, 256-512 at 56", Conv2DShape.Square(1, 256, 56, 512, 1, stride: 2)),
        ("ResNet 7x7 stride 2, 3-64 at 224", Conv2DShape.Square(1, 3, 224, 64, 7, stride: 2, pad: 3)),
        ("MobileNet 3x3 stride 2, 3-32 at 224", Conv2DShape.Square(1, 3, 224, 32, 3, stride: 2, pad: 1)),
        ("RegNetX 3x3 groups of 24, 48 at 112, stride 2", Conv2DShape.Square(1, 48, 112, 48, 3, stride: 2, pad: 1, groups: 2)),
        ("RegNetX 3x3 groups of 24, 96 at 28", Conv2DShape.Square(1, 96, 28, 96, 3, pad: 1, groups: 4)),
        ("RegNetX 3x3 groups of 24, 240 at 14", Conv2DShape.Square(1, 240, 14, 240, 3, pad: 1, groups: 10)),
        ("RegNetX 3x3 groups of 24, 528 at 7", Conv2DShape.Square(1, 528, 7, 528, 3, pad: 1, groups: 22)),
        ("RegNetX 3x3 groups of 16, 160 at 14", Conv2DShape.Square(1, 160, 14, 160, 3, pad: 1, groups: 10)),
        ("CIFAR 3x3, 3-16 at 32, batch 8", Conv2DShape.Square(8, 3, 32, 16, 3, pad: 1)),
        ("CIFAR 3x3, 16 at 32, batch 8", Conv2DShape.Square(8, 16, 32, 16, 3, pad: 1)),
        ("CIFAR 3x3, 32 at 16, batch 8", Conv2DShape.Square(8, 32, 16, 32, 3, pad: 1)),
        ("CIFAR 3x3, 64 at 8, batch 8", Conv2DShape.Square(8, 64, 8, 64, 3, pad: 1)),
        ("1x1, 64-256 at 56", Conv2DShape.Square(1, 64, 56, 256, 1)),
        ("1x1, 256-64 at 56", Conv2DShape.Square(1, 256, 56, 64, 1)),
        ("1x1, 512-128 at 28", Conv2DShape.Square(1, 512, 28, 128, 1)),
        ("1x1, 1024-256 at 14", Conv2DShape.Square(1, 1024, 14, 256, 1)),
        ("1x1, 512-2048 at 7", Conv2DShape.Square(1, 512, 7, 2048, 1)),
        ("1x1, 144-24 at 56", Conv2DShape.Square(1, 144, 56, 24, 1)),
        ("1x1, 32-16 at 112", Conv2DShape.Square(1, 32, 112, 16, 1)),
        ("1x1, 24-144 at 56", Conv2DShape.Square(1, 24, 56, 144, 1)),
        ("1x1, 960-160 at 7", Conv2DShape.Square(1, 960, 7, 160, 1)),
        ("depthwise 3x3, 32 at 112", Conv2DShape.Square(1, 32, 112, 32, 3, pad: 1, groups: 32)),
        ("depthwise 3x3 stride 2, 96 at 112", Conv2DShape.Square(1, 96, 112, 96, 3, stride: 2, pad: 1, groups: 96)),
        ("depthwise 3x3, 144 at 56", Conv2DShape.Square(1, 144, 56, 144, 3, pad: 1, groups: 144)),
        ("depthwise 3x3, 192 at 28", Conv2DShape.Square(1, 192, 28, 192, 3, pad: 1, groups: 192)),
        ("depthwise 3x3, 384 at 14", Conv2DShape.Square(1, 384, 14, 384, 3, pad: 1, groups: 384)),
        ("depthwise 3x3 stride 2, 576 at 14", Conv2DShape.Square(1, 576, 14, 576, 3, stride: 2, pad: 1, groups: 576)),
        ("depthwise 3x3, 960 at 7", Conv2DShape.Square(1, 960, 7, 960, 3, pad: 1, groups: 960)),
    ];

    /// <param name="threads">Threads of each side.</param>
    /// <param name="part">Only convolutions whose name holds this.</param>
    /// <param name="output">Takes the table.</param>
    public static void Run(int threads, string part, TextWriter output)
    {
        Workers.ThreadCount = threads;
        OnnxRuntimeLibrary library = OnnxRuntimeLibrary.Open();
        output.WriteLine($"Kernel path {KernelPaths.Active}, {threads} thread(s), ONNX Runtime {library.Version}, GFLOP/s (and Gop/s for int8).");
        output.WriteLine("| convolution | planes, or depthwise | blocked | blocked Winograd (direct work) | int8 | ONNX Runtime float, alone | ONNX Runtime float, in a network | time, planes / ONNX Runtime | blocked / ONNX Runtime in a network | Winograd / ONNX Runtime in a network |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach ((string name, Conv2DShape shape) in Shapes.Where(s => s.Name.Contains(part))) output.WriteLine(Row(library, threads, name, shape));
    }

    /// <summary>Inside a network ONNX Runtime pays no conversion to its blocked layout: the time of one convolution is what <see cref="MoreCopies"/> more of them on the same input, summed up, add.</summary>
    private static string Row(OnnxRuntimeLibrary library, int threads, string name, Conv2DShape shape)
    {
        double work = (double)shape.Batch * shape.OutChannels * shape.OutPlane * shape.Inner;
        int repeats = (int)Math.Clamp(WorkPerRound / work, 1, 200);
        using var routes = new Routes(shape);
        using OnnxRuntimeSession alone = OnnxRuntimeSession.Load(library, Model(shape, 1), new() { Threads = threads }), summed = OnnxRuntimeSession.Load(library, Model(shape, 1 + MoreCopies), new() { Threads = threads });
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Allocate(ElementType.Float32, [shape.Batch, shape.InChannels, shape.InHeight, shape.InWidth]) };
        double winograd = double.PositiveInfinity, chosen = double.PositiveInfinity, blocked = double.PositiveInfinity, int8 = double.PositiveInfinity, theirsAlone = double.PositiveInfinity, theirsSummed = double.PositiveInfinity;
        for (int round = 0; round < Rounds; round++)
        {
            Settle(threads);
            theirsAlone = Math.Min(theirsAlone, alone.Time(inputs, 1, repeats).Min.TotalSeconds);
            theirsSummed = Math.Min(theirsSummed, summed.Time(inputs, 1, repeats).Min.TotalSeconds);
            Settle(threads);
            chosen = Math.Min(chosen, Shortest(repeats, routes.Chosen));
            if (routes.IsBlocked) blocked = Math.Min(blocked, Shortest(repeats, routes.Blocked));
            if (shape.Batch == 1) int8 = Math.Min(int8, Shortest(repeats, routes.Int8));
            if (BlockedWinogradConv2D.Fits(shape)) winograd = Math.Min(winograd, Shortest(repeats, routes.Winograd));
        }
        double theirs = (theirsSummed - theirsAlone) / MoreCopies;
        string Rate(double seconds) => double.IsInfinity(seconds) ? "" : $"{2e-9 * work / seconds:F0}";
        string Ratio(double seconds) => double.IsInfinity(seconds) ? "" : $"{seconds / theirs:F2}";
        return $"| {name} | {Rate(chosen)} | {Rate(blocked)} | {Rate(winograd)} | {Rate(int8)} | {Rate(theirsAlone)} | {Rate(theirs)} | {chosen / theirsAlone:F2} | {Ratio(blocked)} | {Ratio(winograd)} |";
    }

    /// <summary>The threads of one side wait awake for some milliseconds, on the core that the other side needs.</summary>
    private static void Settle(int threads)
    {
        if (threads > 1) Thread.Sleep(30);
    }

    private static double Shortest(int repeats, Action run)
    {
        run();
        double shortest = double.PositiveInfinity;
        for (int i = 0; i < repeats; i++)
        {
            long start = Stopwatch.GetTimestamp();
            run();
            shortest = Math.Min(shortest, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return shortest;
    }

    private static byte[] Model(Conv2DShape shape, int copies)
    {
        var graph = new Graph("convolution");
        Value x = graph.AddInput("x", ElementType.Float32, new(shape.Batch, shape.InChannels, shape.InHeight, shape.InWidth));
        Value w = graph.AddConstant("w", Filled([shape.OutChannels, shape.GroupInChannels, shape.KernelHeight, shape.KernelWidth]));
        Value b = graph.AddConstant("b", Filled([shape.OutChannels]));
        var attributes = new Attributes
        {
            { "strides", new long[] { shape.StrideHeight, shape.StrideWidth } },
            { "pads", new long[] { shape.PadTop, shape.PadLeft, shape.PadBottom, shape.PadRight } },
            { "group", (long)shape.Groups },
        };
        Value sum = graph.AddNode("Conv", [x, w, b], attributes).Outputs[0];
        for (int i = 1; i < copies; i++)
        {
            Value other = graph.AddConstant($"w{i}", Filled([shape.OutChannels, shape.GroupInChannels, shape.KernelHeight, shape.KernelWidth]));
            sum = graph.AddNode("Add", [graph.AddNode("Conv", [x, other, b], attributes).Outputs[0], sum]).Outputs[0];
        }
        graph.AddOutput(sum);
        return OnnxFile.ToBytes(graph);
    }

    private static Tensor Filled(Shape shape)
    {
        Tensor tensor = Tensor.Allocate(ElementType.Float32, shape);
        var random = new Random(1);
        foreach (ref float value in tensor.Span<float>()) value = random.NextSingle() - 0.5f;
        return tensor;
    }

    /// <summary>Buffers of one shape and a delegate for each route.</summary>
    private sealed class Routes : IDisposable
    {
        private readonly List<nint> _memory = [];
        private readonly Conv2DShape _shape;
        private readonly float* _x, _weights, _winograd, _blocked, _bias, _y, _scales;
        private readonly byte* _codes, _int8Weights, _int8Y;
        private readonly void* _scratch;

        public Routes(Conv2DShape shape)
        {
            _shape = shape;
            long inputs = ChannelBlocks.Floats(shape.Batch, shape.InChannels, shape.InPlane), outputs = ChannelBlocks.Floats(shape.Batch, shape.OutChannels, shape.OutPlane), weights = (long)shape.OutChannels * shape.Inner;
            _x = (float*)Allocate(inputs * sizeof(float));
            _y = (float*)Allocate(outputs * sizeof(float));
            _bias = (float*)Allocate(ChannelBlocks.Floats(1, shape.OutChannels, 1) * sizeof(float));
            _scales = (float*)Allocate(shape.OutChannels * sizeof(float));
            _codes = (byte*)Allocate(inputs);
            _int8Y = (byte*)Allocate(outputs);
            float* plain = (float*)Allocate(weights * sizeof(float));
            byte* plainInt8 = (byte*)Allocate(weights);
            for (long i = 0; i < weights; i++) (plain[i], plainInt8[i]) = (i % 7 - 3, (byte)(i * 31));
            for (int i = 0; i < shape.OutChannels; i++) _scales[i] = 0.001f;
            _weights = (float*)Allocate(Conv2D.PackedWeightBytes(shape));
            Conv2D.PackWeights(shape, plain, _weights);
            IsPlanar = PlanarBlockedConv2D.Fits(shape);
            IsBlocked = IsPlanar || BlockedConv2D.Fits(shape);
            if (IsBlocked)
            {
                _blocked = (float*)Allocate(IsPlanar ? PlanarBlockedConv2D.PackedWeightBytes(shape) : BlockedConv2D.PackedWeightBytes(shape));
                if (IsPlanar) PlanarBlockedConv2D.PackWeights(shape, plain, _blocked);
                else BlockedConv2D.PackWeights(shape, plain, _blocked);
            }
            if (BlockedWinogradConv2D.Fits(shape))
            {
                _winograd = (float*)Allocate(BlockedWinogradConv2D.PackedWeightBytes(shape));
                BlockedWinogradConv2D.PackWeights(shape, plain, _winograd);
            }
            _int8Weights = (byte*)Allocate(Int8Conv2D.PackedWeightBytes(shape));
            Int8Conv2D.PackWeights(shape, new Int8Weights { Data = plainInt8, IsSigned = true }, _int8Weights);
            _scratch = Allocate(new[] { Int8Conv2D.ScratchBytes(shape), Conv2D.ScratchBytes(shape), IsPlanar ? PlanarBlockedConv2D.ScratchBytes(shape) : 0 }.Max());
        }

        public void Chosen() => Conv2D.Run(_shape, _x, _weights, new Epilogue { RowBias = _bias }, _y, _scratch);

        public bool IsBlocked { get; }

        private bool IsPlanar { get; }

        public void Blocked()
        {
            var epilogue = new BlockedEpilogue { Bias = _bias };
            if (IsPlanar) PlanarBlockedConv2D.Run(_shape, _x, _blocked, epilogue, _y, _scratch);
            else BlockedConv2D.Run(_shape, _x, _blocked, epilogue, _y, _scratch);
        }

        public void Winograd() => BlockedWinogradConv2D.Run(_shape, _x, _winograd, new BlockedEpilogue { Bias = _bias }, _y, _scratch);

        public void Int8() => Int8Conv2D.Run(_shape, _codes, new Int8Input(3, false), _int8Weights, new Requantization { Output = Int8Output.UInt8, Scales = _scales, IsPerChannel = true }, _int8Y, _scratch);

        public void Dispose()
        {
            foreach (nint memory in _memory) NativeMemory.AlignedFree((void*)memory);
        }

        private void* Allocate(long bytes)
        {
            void* memory = NativeMemory.AlignedAlloc((nuint)Math.Max(64, bytes), 64);
            NativeMemory.Clear(memory, (nuint)Math.Max(64, bytes));
            _memory.Add((nint)memory);
            return memory;
        }
    }
}
