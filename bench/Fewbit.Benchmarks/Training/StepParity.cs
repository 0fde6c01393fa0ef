using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Training;

namespace Fewbit.Benchmarks.Training;

/// <summary>
/// <c>step-parity TEXT [steps]</c>: character models learn from the same initial weights and the same batches here and in PyTorch; prints both losses step by step and the largest difference.
/// </summary>
internal static class StepParity
{
    private const int Batch = 12, Block = 64;

    public static void Run(string[] arguments)
    {
        string text = File.ReadAllText(arguments[0]);
        int steps = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : 20;
        char[] characters = [.. text.Distinct().Order()];
        long[] ids = [.. text.Select(character => (long)Array.BinarySearch(characters, character))];
        foreach (string name in (string[])["transformer", "lstm"]) Compare(name, characters.Length, ids, steps);
    }

    private static void Compare(string name, int vocabulary, long[] ids, int steps)
    {
        Graph model = Model(name, vocabulary);
        (Tensor inputs, Tensor targets) = Batches(ids, steps);
        string path = Path.Combine(Path.GetTempPath(), $"fewbit-parity-{Environment.ProcessId}.safetensors");
        var tensors = model.Constants.Where(constant => constant.Type == ElementType.Float32).ToDictionary(constant => constant.Name, constant => constant.Constant!);
        (tensors["inputs"], tensors["targets"]) = (inputs, targets);
        SafetensorsFile.Write(path, tensors);
        try
        {
            double[] theirs = PyTorch(name, path), ours = Fewbit(model, inputs, targets, steps);
            Console.WriteLine($"{name}: step, loss here, loss in PyTorch");
            for (int i = 0; i < steps; i++) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{i,4}  {ours[i]:F5}  {theirs[i]:F5}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"largest difference {ours.Zip(theirs, (a, b) => Math.Abs(a - b)).Max():E1}"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Graph Model(string name, int vocabulary)
    {
        var graph = new Graph(name, 20);
        Value ids = graph.AddInput("ids", ElementType.Int64, [Batch, Block]);
        Value scores = name == "lstm" ? LstmLanguageModel.Build(ids, vocabulary, 2, 200, isTied: false) : Transformer.BuildText(ids, vocabulary, new(4, 128, 4), isCausal: true);
        scores.Returns("scores");
        WeightInitialization.Apply(graph, 1);
        return graph;
    }

    /// <summary>Windows at random places: [steps, batch, block], and the same one character on.</summary>
    private static (Tensor Inputs, Tensor Targets) Batches(long[] ids, int steps)
    {
        Tensor inputs = Tensor.Allocate(ElementType.Int64, [steps, Batch, Block]), targets = Tensor.Allocate(ElementType.Int64, [steps, Batch, Block]);
        var random = new SeededRandom(7);
        for (int row = 0; row < steps * Batch; row++)
        {
            int start = random.NextInt(ids.Length - Block - 1);
            ids.AsSpan(start, Block).CopyTo(inputs.Span<long>()[(row * Block)..]);
            ids.AsSpan(start + 1, Block).CopyTo(targets.Span<long>()[(row * Block)..]);
        }
        return (inputs, targets);
    }

    private static double[] Fewbit(Graph model, Tensor inputs, Tensor targets, int steps)
    {
        var trainer = new Trainer(model, new() { Optimizer = new AdamW { LearningRate = 1e-3, Beta2 = 0.99, WeightDecay = 0.1 }, Groups = [new() { IsVectorsOnly = true, WeightDecay = 0 }], ClipNorm = 1 });
        var losses = new double[steps];
        for (int i = 0; i < steps; i++) losses[i] = trainer.Step(new Dictionary<string, Tensor> { ["ids"] = Item(inputs, i), [Trainer.Target] = Item(targets, i) });
        return losses;
    }

    private static Tensor Item(Tensor batches, int index) => Tensor.From<long>(batches.Span<long>().Slice(index * Batch * Block, Batch * Block).ToArray(), [Batch, Block]);

    private static double[] PyTorch(string name, string path, [CallerFilePath] string file = "")
    {
        string python = Environment.GetEnvironmentVariable("FEWBIT_PYTHON") is { Length: > 0 } named ? named : "/usr/bin/python3";
        string script = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "../../pytorch/step_parity.py"));
        using Process process = Process.Start(new ProcessStartInfo(python, [script, name, path]) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException("the PyTorch script failed: see its message above (Debian: apt-get install python3-torch; another Python: FEWBIT_PYTHON)");
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => double.Parse(line, CultureInfo.InvariantCulture))];
    }
}
