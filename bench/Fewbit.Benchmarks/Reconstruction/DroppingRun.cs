using System.Globalization;
using Fewbit.Benchmarks.Results;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Reconstruction;

/// <summary>What dropping does to QDrop on CIFAR ResNet-20 at 2-bit weights and activations: accuracy, and how flat the loss lies around the learned weights.</summary>
/// <remarks>
/// Wei et al., "QDrop", 2022, arXiv:2203.05740. Flatness: with the learned weights and float activations, every quantized value is moved by a number drawn evenly
/// from half a step below to half a step above, the step that it was learned with: errors of the size of rounding ones, that no step was fitted to.
/// </remarks>
internal static class DroppingRun
{
    private const int Iterations = 1000, FlatnessPictures = 1024;
    private const string TestFile = "test_jpeg_10000.bin";

    /// <param name="args">Seeds; 1005, 1006 and 1007 where none is given.</param>
    public static void Run(string[] args)
    {
        ulong[] seeds = args.Length > 0 ? [.. args.Select(arg => ulong.Parse(arg, CultureInfo.InvariantCulture))] : [1005, 1006, 1007];
        Graph prepared = Preparation.Prepare(OnnxFile.Load(Machine.Data("cifar10/models/resnet20.onnx")));
        Tensor calibration = ReconstructionPictures.Load(prepared, "calib_lossless_1024.bin").Pictures;
        (Tensor pictures, int[] labels) = ReconstructionPictures.Load(prepared, TestFile);
        Tensor some = pictures.Rows(0, FlatnessPictures), expected = ReconstructionPictures.Scores(prepared, some);
        Console.WriteLine("| quantized with probability | seed | top-1 JPEG | squared error of the scores, float activations | moved by half a step |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (ulong seed in seeds)
        {
            foreach (double probability in (double[])[0, 0.5, 1])
            {
                ReconstructionMethod method = ReconstructionMethod.QDrop(Iterations, probability);
                QuantizerSites sites = QuantizerSites.Find(prepared, method.Apply(new() { Weights = new IntegerFormat(2, IsSigned: false), Activations = new IntegerFormat(2, IsSigned: false), Placement = QuantizerPlacement.Paper }));
                Reconstructor reconstructor = method.CreateReconstructor(prepared, sites, new() { Seed = seed });
                reconstructor.Run(new Dictionary<string, Tensor> { [prepared.Inputs[0].Name] = calibration });
                int[] classes = ReconstructionPictures.Classes(ReconstructionPictures.Scores(Simulate(prepared, reconstructor.State, reconstructor.State.Activations), pictures));
                double top1 = 100.0 * labels.Index().Count(pair => classes[pair.Index] == pair.Item) / labels.Length;
                Graph unrounded = Simulate(prepared, reconstructor.State, new Dictionary<string, QuantizationParameters>());
                double plain = Error(expected, ReconstructionPictures.Scores(unrounded, some));
                double moved = Error(expected, Moved(unrounded, reconstructor.State, some));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {probability} | {seed} | {top1:0.00} | {plain:0.000} | {moved:0.000} |"));
            }
        }
    }

    private static Graph Simulate(Graph prepared, QuantizedState state, IReadOnlyDictionary<string, QuantizationParameters> activations) =>
        SimulatedGraph.Build(prepared, state.Sites, activations, state.Sites.Weights.ToDictionary(site => site.Node.Name, state.WeightOf, StringComparer.Ordinal));

    /// <summary>Scores with a random number added to each quantized value.</summary>
    private static Tensor Moved(Graph graph, QuantizedState state, Tensor pictures)
    {
        const int Batch = 64;
        var steps = new Dictionary<string, (Shape Shape, float Step)>(StringComparer.Ordinal);
        foreach (ActivationSite site in state.Sites.Activations)
        {
            Value value = graph.Find(site.Value.Name)!;
            Use[] readers = [.. value.Uses];
            Value addend = graph.AddInput(graph.UniqueName(value.Name + "/moved"), ElementType.Float32, value.Shape);
            Node sum = graph.InsertNode(graph.IndexOf(value.Producer!) + 1, "", "Add", [value, addend]);
            foreach (Use use in readers) use.Node.SetInput(use.Index, sum.Outputs[0]);
            steps[addend.Name] = (new Shape([Batch, .. value.Shape!.Skip(1).Select(dim => dim.Length)]), state.Activations[site.Value.Name].Scale);
        }
        using var runner = new Graphs.Execution.GraphRunner(graph);
        var random = new SeededRandom(1);
        Tensor? scores = null;
        for (long first = 0; first < pictures.Shape[0]; first += Batch)
        {
            var inputs = new Dictionary<string, Tensor>(StringComparer.Ordinal) { [graph.Inputs[0].Name] = pictures.Rows(first, Batch) };
            foreach ((string name, (Shape shape, float step)) in steps)
            {
                Tensor moves = inputs[name] = Tensor.AllocateUninitialized(ElementType.Float32, shape);
                foreach (ref float move in moves.Span<float>()) move = (random.NextSingle() - 0.5f) * step;
            }
            Tensor part = runner.Run(inputs)[graph.Outputs[0].Name];
            scores ??= Tensor.AllocateUninitialized(ElementType.Float32, part.Shape.With(0, pictures.Shape[0]));
            part.CopyTo(scores.Rows(first, Batch));
        }
        return scores!;
    }

    private static double Error(Tensor expected, Tensor found)
    {
        double sum = 0;
        for (int i = 0; i < expected.ElementCount; i++) sum += Math.Pow(expected.Span<float>()[i] - found.Span<float>()[i], 2);
        return sum / expected.Shape[0];
    }
}
