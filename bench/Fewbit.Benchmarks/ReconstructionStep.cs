using System.Diagnostics;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks;

/// <summary>
/// One step of learned rounding on a residual block: soft weights (AdaRound variables), learned activation steps, squared error and
/// regularizer, the gradient as a graph, Adam; compiled once and replayed. Prints milliseconds, GFLOP/s and bytes allocated a step.
/// </summary>
internal static class ReconstructionStep
{
    private const int Batch = 32;

    public static void Run()
    {
        Workers.ThreadCount = 1;
        Console.WriteLine("channels  size  learns               ms/step  GFLOP/s  most bytes allocated by a step");
        foreach ((int channels, int size) in ((int, int)[])[(16, 32), (32, 16), (64, 8)])
        {
            foreach (bool learnsActivations in (bool[])[false, true]) Measure(channels, size, learnsActivations);
        }
    }

    private static void Measure(int channels, int size, bool learnsActivations)
    {
        (Plan plan, Dictionary<string, Tensor> inputs) = Compile(channels, size, learnsActivations);
        for (int i = 0; i < 20; i++) plan.Run(inputs);
        var times = new double[60];
        long allocated = 0;
        for (int i = 0; i < times.Length; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
            plan.Run(inputs);
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            allocated = Math.Max(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Array.Sort(times);
        double median = times[times.Length / 2];
        // Two convolutions forward, two weight gradients, one data gradient (the block's input needs none).
        double operations = 5 * 2.0 * Batch * channels * channels * 9 * size * size;
        Console.WriteLine($"{channels,8}  {size,4}  {(learnsActivations ? "weights+activations" : "weights"),-19}  {median,7:F2}  {operations / median / 1e6,7:F1}  {allocated,30}");
    }

    private static (Plan Plan, Dictionary<string, Tensor> Inputs) Compile(int channels, int size, bool learnsActivations)
    {
        var graph = new Graph();
        var random = new SeededRandom(1);
        var updates = new Dictionary<string, string>();
        Value x = graph.AddInput("x", ElementType.Float32, [Batch, channels, size, size]);
        Value target = graph.AddInput("target", ElementType.Float32, [Batch, channels, size, size]);
        Value beta = graph.AddInput("beta", ElementType.Float32, []), step = graph.AddInput("step", ElementType.Float32, [3]);
        var learned = new List<Value>();
        (Value first, Value firstTerm) = SoftWeight(graph, "w1", channels, beta, learned, ref random);
        (Value second, Value secondTerm) = SoftWeight(graph, "w2", channels, beta, learned, ref random);
        var same = new Attributes { { "pads", (long[])[1, 1, 1, 1] } };
        Value inner = Quantized(x.Apply("Conv", same, first).Apply("Relu"), "s1", learnsActivations, learned);
        Value output = Quantized((inner.Apply("Conv", new Attributes { { "pads", (long[])[1, 1, 1, 1] } }, second) + x).Apply("Relu"), "s2", learnsActivations, learned);
        Value difference = output - target;
        Value loss = (difference * difference).SumToShapeOf(beta) * (1f / (Batch * size * size)) + 0.01f * (firstTerm + secondTerm);
        Value[] gradients = Gradients.Of(loss, learned);
        for (int i = 0; i < learned.Count; i++) AddAdam(graph, learned[i], gradients[i], step, updates);
        var inputs = new Dictionary<string, Tensor>
        {
            ["x"] = Normal([Batch, channels, size, size], ref random),
            ["target"] = Normal([Batch, channels, size, size], ref random),
            ["beta"] = Tensor.Scalar(10f),
            ["step"] = Tensor.From(1e-3f, 0.1f, 0.001f),
        };
        Plan plan = Plan.Compile(graph, new() { Inputs = inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape), Outputs = [loss.Name], Updates = updates });
        return (plan, inputs);
    }

    /// <summary>scale * clamp(floor(w / scale) + h(v), -2, 1), and the regularizer sum(1 - |2h - 1|^beta).</summary>
    private static (Value Weight, Value Regularizer) SoftWeight(Graph graph, string name, int channels, Value beta, List<Value> learned, ref SeededRandom random)
    {
        Tensor floor = Normal([channels, channels, 3, 3], ref random);
        foreach (ref float code in floor.Span<float>()) code = MathF.Floor(code);
        Value v = Variable(graph, name + "/v", Normal([channels, channels, 3, 3], ref random));
        learned.Add(v);
        Value h = (v.Apply("Sigmoid") * 1.2f - 0.1f).Apply("Clip", v.Scalar(0), v.Scalar(1));
        Value codes = (graph.AddConstant(name + "/floor", floor) + h).Apply("Clip", v.Scalar(-2), v.Scalar(1));
        Value regularizer = (1f - (2f * h - 1f).Apply("Abs").Apply("Pow", beta)).SumToShapeOf(beta);
        return (codes * 0.05f, regularizer);
    }

    private static Value Quantized(Value value, string scale, bool learns, List<Value> learned)
    {
        Value s = Variable(value.Graph, scale, Tensor.Scalar(0.3f));
        if (learns) learned.Add(s);
        return value.Apply("ai.fewbit", "FakeQuantize", new() { { "min", 0f }, { "max", 15f } }, s, value.Graph.AddConstant(scale + "/z", Tensor.Scalar(0f)));
    }

    private static void AddAdam(Graph graph, Value parameter, Value gradient, Value step, Dictionary<string, string> updates)
    {
        Value first = Variable(graph, parameter.Name + "/m", Tensor.Allocate(ElementType.Float32, parameter.Constant!.Shape));
        Value second = Variable(graph, parameter.Name + "/v2", Tensor.Allocate(ElementType.Float32, parameter.Constant!.Shape));
        Node adam = graph.InsertNode(graph.Nodes.Count, "ai.fewbit", "AdamUpdate", [parameter, first, second, gradient, step], outputs: 3);
        foreach ((Value variable, Value updated) in ((Value, Value)[])[(parameter, adam.Outputs[0]), (first, adam.Outputs[1]), (second, adam.Outputs[2])]) updates[variable.Name] = updated.Name;
    }

    private static Value Variable(Graph graph, string name, Tensor tensor)
    {
        Value value = graph.AddConstant(name, tensor);
        value.IsVariable = true;
        return value;
    }

    private static Tensor Normal(Shape shape, ref SeededRandom random)
    {
        Tensor tensor = Tensor.AllocateUninitialized(ElementType.Float32, shape);
        foreach (ref float value in tensor.Span<float>()) value = (float)random.NextNormal();
        return tensor;
    }
}
