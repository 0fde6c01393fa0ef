using System.Diagnostics;
using System.Globalization;
using System.Text;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;
using Fewbit.Verification;

namespace Fewbit.Benchmarks.Results;

/// <summary>Quantizes every model of the data folder to W8A8 with the default options, and writes docs/results/int8.md.</summary>
internal static class Int8Results
{
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    public static void Run()
    {
        var page = new StringBuilder();
        page.AppendLine("# int8: accuracy, equality with ONNX Runtime, size and time").AppendLine();
        page.AppendLine("Made by `dotnet run -c Release --project bench/Fewbit.Benchmarks -- int8-results` (data: `FEWBIT_DATA`, oracle: `FEWBIT_ORT`). Default options, seed 1.");
        page.AppendLine(Plain, $"Machine: {Machine.Description}.").AppendLine();
        Classifiers(page);
        Unlabelled(page);
        Machine.WritePage("int8.md", page.ToString());
    }

    private static void Classifiers(StringBuilder page)
    {
        page.AppendLine("## Labelled classifiers").AppendLine();
        page.AppendLine("CIFAR models are calibrated on 512 of the 1,024 lossless training pictures, ImageNet models on every seventh of the 700 pictures; the other 600 judge.");
        page.AppendLine("Differences are paired, with their 95 % interval and McNemar's exact p. Peak memory is that of calibration and quantization, the process and its loaded model included.");
        page.AppendLine("Times are medians for one picture on one thread.").AppendLine();
        page.AppendLine("| model | judged on | float top-1 | int8 top-1 | change, points (95 %) | p | agreement | float → int8 MB | calibration s | peak MB | int8 ms ORT | int8 ms Fewbit | float ms ORT |");
        page.AppendLine("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        var equality = new StringBuilder();
        foreach (ModelCase model in ModelCase.Classifiers())
        {
            Made made = Make(model);
            bool isFirst = true;
            foreach ((string set, Func<Graph, IEnumerable<SampleBatch>> batches) in model.Judge)
            {
                Workers.ThreadCount = Environment.ProcessorCount;
                using ModelRunner reference = ModelRunner.From(made.Float), quantized = ModelRunner.From(made.Quantized);
                ClassificationResult c = ModelEvaluation.Compare(reference, quantized, batches(made.Float)).Classification!;
                Interval interval = c.DifferenceInterval!.Value;
                page.Append(Plain, $"| {model.Name} | {set} | {100 * c.ReferenceTop1:F2} | {100 * c.Top1:F2} | {100 * c.Difference:+0.00;-0.00;0.00} ({100 * interval.Low:+0.00;-0.00} … {100 * interval.High:+0.00;-0.00}) | {c.P:F2} | {100 * c.Agreement:F2} ");
                page.AppendLine(isFirst ? Times(made, batches(made.Float)) : "| | | | | | |");
                if (isFirst || set.Contains("846", StringComparison.Ordinal)) AppendEquality(equality, model.Name, set, made, batches);
                isFirst = false;
                Console.WriteLine($"{model.Name} {set}: {100 * c.ReferenceTop1:F2} -> {100 * c.Top1:F2}");
            }
        }
        page.AppendLine();
        page.AppendLine("### Equality with ONNX Runtime's fused run (level all)").AppendLine();
        page.AppendLine("Codes at every quantizer. Behind a node that ONNX Runtime computes in float, summation orders differ and a few codes flip. The last two columns compare ONNX Runtime with itself: level off against level all.").AppendLine();
        page.AppendLine(EqualityHeader);
        page.Append(equality).AppendLine();
    }

    private const string EqualityHeader = """
        | model | inputs | quantizers on integer paths (with a differing code) | differing codes there | behind float: quantizers, differing codes | largest difference | differing labels, all pictures | Fewbit against level off: codes, labels | ORT off against all: codes, labels |
        |---|---|---|---|---|---|---|---|---|
        """;

    private static void AppendEquality(StringBuilder text, string name, string set, Made made, Func<Graph, IEnumerable<SampleBatch>> batches)
    {
        byte[] Bytes(Graph graph) => OnnxFile.ToBytes(graph);
        Func<Graph, IModelRunner> fewbit = graph => ModelRunner.From(graph);
        Func<Graph, IModelRunner> all = graph => OnnxRuntimeSession.Load(Machine.Runtime, Bytes(graph));
        Func<Graph, IModelRunner> off = graph => OnnxRuntimeSession.Load(Machine.Runtime, Bytes(graph), new() { OptimizationLevel = GraphOptimizationLevel.Off });
        IEnumerable<SampleBatch> Some() => batches(made.Float).TakeWhile(batch => batch.First < 128);
        VerificationResult equal = CodeComparison.Compare(made.Quantized, fewbit, all, Some());
        VerificationResult plain = CodeComparison.Compare(made.Quantized, fewbit, off, Some());
        VerificationResult own = CodeComparison.Compare(made.Quantized, off, all, Some());
        string labels = "–";
        if (equal.Labels > 0)
        {
            using IModelRunner a = all(made.Quantized), b = fewbit(made.Quantized);
            ClassificationResult everything = ModelEvaluation.Compare(a, b, batches(made.Float)).Classification!;
            labels = string.Create(Plain, $"{(1 - everything.Agreement) * everything.Samples:F0} of {everything.Samples}");
        }
        var integer = equal.Codes.Where(codes => codes.IsIntegerPath).ToArray();
        string Labels(VerificationResult result) => result.Labels > 0 ? string.Create(Plain, $"{result.DifferingLabels} of {result.Labels}") : "–";
        text.AppendLine(Plain, $"| {name} ({set}) | {equal.Samples} | {integer.Length} ({equal.UnequalIntegerQuantizers}) | {integer.Sum(codes => codes.Differing)} of {integer.Sum(codes => codes.Count)} | {equal.Codes.Count - integer.Length}, {equal.DifferingShareBehindFloat:0.0E+0} | {equal.MaxCodeDifference}{(equal.ProbesChangeOutputs ? " (probes change outputs)" : "")} | {labels} | {plain.DifferingShare:0.0E+0}, {Labels(plain)} | {own.DifferingShare:0.0E+0}, {Labels(own)} |");
        Console.WriteLine($"  equality: {equal.UnequalIntegerQuantizers} of {integer.Length} integer quantizers differ, {equal.DifferingShareBehindFloat:0.0E+0} behind float, labels {labels}");
    }

    private static void Unlabelled(StringBuilder page)
    {
        page.AppendLine("## Models without labels").AppendLine();
        page.AppendLine("Signal to noise of each output against the float model, 10 log10(sum float² / sum (float − int8)²). Detection and visual-wake-words models see ImageNet pictures, super-resolution networks crops of T91 and BSD100");
        page.AppendLine("(calibrated on BSDS200), diffusion networks noised MNIST digits, language models pieces of their teacher samples. The two audio models have no sample data: normally distributed inputs, which says little about real use.").AppendLine();
        page.AppendLine("| model | judged on | output: SQNR dB | integer / float nodes | float → int8 MB | calibration s | peak MB | int8 ms ORT | int8 ms Fewbit | float ms ORT |");
        page.AppendLine("|---|---|---|---|---|---|---|---|---|---|");
        var equality = new StringBuilder();
        foreach (ModelCase model in ModelCase.Unlabelled())
        {
            try
            {
                Made made = Make(model);
                (string set, Func<Graph, IEnumerable<SampleBatch>> batches) = model.Judge[0];
                Workers.ThreadCount = Environment.ProcessorCount;
                using ModelRunner reference = ModelRunner.From(made.Float), quantized = ModelRunner.From(made.Quantized);
                EvaluationResult result = ModelEvaluation.Compare(reference, quantized, batches(made.Float));
                string noise = string.Join("; ", result.Outputs.Select(output => string.Create(Plain, $"{output.Key}: {output.Value.SignalToNoise:F1}")));
                int integers = made.Report.Nodes.Count(node => node.Outcome == NodeOutcome.Integer), floats = made.Report.Nodes.Count(node => node.Outcome == NodeOutcome.Float);
                page.Append(Plain, $"| {model.Name} | {set} | {noise} | {integers} / {floats} ").AppendLine(Times(made, batches(made.Float)));
                AppendEquality(equality, model.Name, set, made, batches);
                Console.WriteLine($"{model.Name}: {noise}");
            }
            catch (Exception exception) when (exception is InvalidDataException or ArgumentException or OnnxRuntimeException)
            {
                page.AppendLine(Plain, $"| {model.Name} | – | not quantized: {exception.Message.ReplaceLineEndings(" ")} | | | | | | | |");
                Console.WriteLine($"{model.Name}: {exception.Message}");
            }
        }
        page.AppendLine().AppendLine(EqualityHeader).Append(equality).AppendLine();
    }

    private static string Times(Made made, IEnumerable<SampleBatch> batches)
    {
        IReadOnlyDictionary<string, Tensor> one = batches.First().Inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape[0] == 1 ? pair.Value : pair.Value.Rows(0, 1).Copy());
        var single = new OnnxRuntimeOptions { Threads = 1 };
        using OnnxRuntimeSession runtime = OnnxRuntimeSession.Load(Machine.Runtime, OnnxFile.ToBytes(made.Quantized), single);
        using OnnxRuntimeSession floating = OnnxRuntimeSession.Load(Machine.Runtime, OnnxFile.ToBytes(made.Float), single);
        using ModelRunner fewbit = ModelRunner.From(made.Quantized, new() { Threads = 1 });
        double own = Median(() => fewbit.Run(one));
        Workers.ThreadCount = Environment.ProcessorCount;
        return string.Create(Plain, $"| {made.FloatBytes / 1e6:F2} → {made.QuantizedBytes / 1e6:F2} | {made.Seconds:F1} | {made.PeakMegabytes:F0} | {runtime.Time(one).Median.TotalMilliseconds:F2} | {own:F2} | {floating.Time(one).Median.TotalMilliseconds:F2} |");
    }

    private static double Median(Action run)
    {
        Machine.WarmUp(run);
        double[] times = [.. Enumerable.Range(0, 21).Select(_ =>
        {
            long start = Stopwatch.GetTimestamp();
            run();
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }).Order()];
        return times[times.Length / 2];
    }

    private static Made Make(ModelCase model)
    {
        Machine.ResetPeak();
        Graph graph = model.Load();
        long start = Stopwatch.GetTimestamp();
        QuantizationResult result = Quantizer.For(graph).Calibrate(model.Calibration(graph).Select(batch => batch.Inputs)).RunAsync().GetAwaiter().GetResult();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new(graph, result.Model, result.Report, seconds, Machine.PeakMegabytes, new FileInfo(Machine.Data(model.Model)).Length, OnnxFile.ToBytes(result.Model).Length);
    }

    private sealed record Made(Graph Float, Graph Quantized, QuantizationReport Report, double Seconds, double PeakMegabytes, long FloatBytes, long QuantizedBytes);
}
